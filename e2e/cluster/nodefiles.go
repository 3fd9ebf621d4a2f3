package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

// nodeUser is what the node authorizer knows the kubelet by.
const nodeUser = "system:node:" + realNode

// nodeIdentities are the users of a real node's programs.
func nodeIdentities() map[string][]string {
	return map[string][]string{
		nodeUser:            {"system:nodes"},
		"system:kube-proxy": nil, // RBAC's default roles know the name
		coreDNS:             {"system:masters"},
		metricsServer:       {"system:masters"},
	}
}

// The configuration of each program of a node. What is not as everywhere has its reason beside it.
var nodeFiles = map[string]string{
	"containerd.toml": `version = 3
# Below the run folder and not at their usual place, which is an overlay here: overlays do not nest.
root = {{json .ContainerdRoot}}
state = "/run/containerd"
[grpc]
  address = {{json .Socket}}
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = {{json .SandboxImage}}
[plugins.'io.containerd.cri.v1.runtime']
  # Nested machines may not lower an OOM score.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = [{{json .CNIBin}}]
    conf_dir = {{json .CNIConf}}
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = {{json .Runc}}
      SystemdCgroup = false
`,
	// A veth pair per pod and no bridge: nothing then depends on whether the kernel shows bridged packets to
	// iptables. No default route: pods reach pods, Services and the node, and nothing else.
	"cni/10-foresail.conflist": `{"cniVersion": "1.0.0", "name": "foresail", "plugins": [
  {"type": "ptp", "ipMasq": false, "ipam": {"type": "host-local", "dataDir": {{json .CNIState}},
    "ranges": [[{"subnet": {{json .PodNetwork}}}]], "routes": [{"dst": "10.96.0.0/15"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
`,
	"kubelet.yaml": `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {{.Address}}
containerRuntimeEndpoint: unix://{{.Socket}}
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: {{json .CA}}}
authorization: {mode: Webhook}
clusterDomain: cluster.local
clusterDNS: [{{.Address}}]
resolvConf: ""
podLogsDir: {{json .PodLogs}}
volumePluginDir: {{json .VolumePlugins}}
# One group of our own above all pods, found again and removed by its name.
cgroupDriver: cgroupfs
cgroupRoot: /{{.Group}}
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
# A test must not lose pods or images because the machine's disk is nearly full.
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
`,
	"kube-proxy.yaml": `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: {{json .ProxyConfig}}}
hostnameOverride: {{.Node}}
clusterCIDR: {{.PodNetwork}}
# These sysctls are read-only in a network namespace.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`,
	// The reverse zones belong to the first block: without them a reverse look-up takes 5 s to fail. The
	// second block is apart because a template beside kubernetes would answer before it.
	"Corefile": `cluster.local in-addr.arpa ip6.arpa {
  bind {{.Address}}
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig {{.DNSConfig}}
    ttl 1
  }
  cache 1
}
. {
  bind {{.Address}}
  template ANY ANY . {
    rcode NXDOMAIN
  }
}
`,
}

// writeNodeFiles fills the run folder's part of the node.
func (c *cluster) writeNodeFiles() error {
	runc, err := findProgram("runc")
	if err != nil {
		return err
	}
	bin, err := c.linkPlugins()
	if err != nil {
		return err
	}
	values := map[string]string{
		"Address": nodeAddress, "PodNetwork": podNetwork, "Node": realNode, "Group": c.groupName(),
		"Socket": containerdSocket, "SandboxImage": c.cfg.RealNode.SandboxImage, "Runc": runc,
		"ContainerdRoot": c.path("node/containerd"), "CNIBin": bin, "CNIConf": c.path("node/cni"), "CNIState": c.path("node/cni-state"),
		"CA": c.path("pki/ca.crt"), "PodLogs": c.path("logs/pods"), "VolumePlugins": c.path("node/volume-plugins"),
		"ProxyConfig": c.path("kubeconfigs/system:kube-proxy"), "DNSConfig": c.path("kubeconfigs/" + coreDNS),
	}
	for name, text := range nodeFiles {
		t, err := template.New(name).Funcs(template.FuncMap{"json": quote}).Option("missingkey=error").Parse(text)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := t.Execute(&out, values); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(c.path("node/"+name)), 0o700); err != nil {
			return err
		}
		if err := c.write("node/"+name, out.Bytes()); err != nil {
			return err
		}
	}
	for _, d := range []string{"node/kubelet", "node/metrics-server", "logs/pods"} {
		if err := os.MkdirAll(c.path(d), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// linkPlugins puts the CNI plugins into one folder, as containerd wants them.
func (c *cluster) linkPlugins() (string, error) {
	folder := c.path("node/cni-bin")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	for _, name := range cniPlugins {
		if err := os.Symlink(c.cfg.Binaries[name], filepath.Join(folder, name)); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// quote writes a string as JSON, which TOML and YAML read as well.
func quote(s string) (string, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("quoting %q: %w", s, err)
	}
	return string(data), nil
}
