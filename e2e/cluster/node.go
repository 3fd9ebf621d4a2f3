package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Names of a real node's processes, in the order in which they are started.
const (
	containerd    = "containerd"
	kubelet       = "kubelet"
	kubeProxy     = "kube-proxy"
	coreDNS       = "coredns"
	metricsServer = "metrics-server"
)

var (
	nodePrograms = []string{containerd, kubelet, kubeProxy, coreDNS, metricsServer}
	cniPlugins   = []string{"ptp", "host-local", "portmap", "loopback"}
)

const (
	realNode         = "real-node"
	containerdSocket = "/run/containerd/containerd.sock" // cAdvisor looks for it here
	metricsPort      = 16901
)

// groupName is the control group above those of all containers.
func (c *cluster) groupName() string { return filepath.Base(c.dir) }

func (c *cluster) defineNode() {
	bin := func(name string) string { return filepath.Dir(c.cfg.Binaries[name]) }
	c.addWithPath(containerd, bin("containerd-shim-runc-v2"), "--config="+c.path("node/containerd.toml"))
	c.addWithPath(kubelet, "",
		"--config="+c.path("node/kubelet.yaml"), "--kubeconfig="+c.path("kubeconfigs/"+nodeUser),
		"--root-dir="+c.path("node/kubelet"), "--cert-dir="+c.path("node/kubelet/pki"),
		// Without an address it looks for the default route's, and there is none.
		"--hostname-override="+realNode, "--node-ip="+nodeAddress,
	)
	c.addWithPath(kubeProxy, "", "--config="+c.path("node/kube-proxy.yaml"))
	c.addWithPath(coreDNS, "", "-conf="+c.path("node/Corefile"))
	config := "kubeconfig=" + c.path("kubeconfigs/"+metricsServer)
	c.addWithPath(metricsServer, "",
		"--"+config, "--authentication-"+config, "--authorization-"+config,
		"--bind-address=127.0.0.1", "--secure-port="+strconv.Itoa(metricsPort), "--cert-dir="+c.path("node/metrics-server"),
		"--kubelet-insecure-tls", "--kubelet-preferred-address-types=InternalIP",
		// The shortest that it takes; the time-out must be below.
		"--metric-resolution=10s", "--kubelet-request-timeout=5s",
	)
}

// addWithPath adds a program that runs others: those of the machine, and those of a folder of ours.
func (c *cluster) addWithPath(name, folder string, args ...string) {
	path := systemPath
	if folder != "" {
		path = folder + ":" + path
	}
	c.add(name, args...)
	c.procs.procs[name].env = []string{"PATH=" + path}
}

// bootContainers starts what needs no API server: containerd, and the images into it.
func (c *cluster) bootContainers(ctx context.Context) error {
	if err := c.up(ctx, containerd); err != nil {
		return err
	}
	for _, archive := range c.cfg.RealNode.Images {
		ctr := exec.CommandContext(ctx, c.cfg.Binaries["ctr"], "--address", containerdSocket, "--namespace", "k8s.io", "images", "import", archive)
		if out, err := ctr.CombinedOutput(); err != nil {
			return fmt.Errorf("importing %s: %w: %s", archive, err, out)
		}
	}
	return nil
}

// bootNode starts the rest of the node, once API server and containerd serve.
func (c *cluster) bootNode(ctx context.Context) error {
	if err := c.registerMetrics(ctx); err != nil {
		return err
	}
	for _, name := range nodePrograms[1:] {
		if err := c.up(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// registerMetrics puts metrics-server behind the aggregator. A Service of type ExternalName needs neither
// kube-proxy nor a flag of the API server.
func (c *cluster) registerMetrics(ctx context.Context) error {
	service := map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": metricsServer, "namespace": "kube-system"},
		"spec": map[string]any{
			"type": "ExternalName", "externalName": "localhost",
			"ports": []any{map[string]any{"name": "https", "port": metricsPort}},
		},
	}
	if err := c.call(ctx, http.MethodPost, "/api/v1/namespaces/kube-system/services", service, nil); err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, "/apis/apiregistration.k8s.io/v1/apiservices", map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": "v1beta1.metrics.k8s.io"},
		"spec": map[string]any{
			"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
			"service":               map[string]any{"name": metricsServer, "namespace": "kube-system", "port": metricsPort},
			"insecureSkipTLSVerify": true,
		},
	}, nil)
}

// probeNode says nil when a process of the node serves; those without a case are ready when the node is.
func (c *cluster) probeNode(ctx context.Context, name string) error {
	dial := func(network, address string) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			conn.Close()
		}
		return err
	}
	switch name {
	case containerd:
		return dial("unix", containerdSocket)
	case coreDNS:
		return dial("tcp", net.JoinHostPort(nodeAddress, "53"))
	}
	return nil
}

// nodeFacts is what a starter needs to look into the node: nsenter takes the pid.
func (c *cluster) nodeFacts() map[string]any {
	return map[string]any{"name": realNode, "pid": c.room.pid, "address": nodeAddress, "containerd": containerdSocket}
}
