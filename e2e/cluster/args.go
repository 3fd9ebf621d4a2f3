package main

import (
	"fmt"
	"strconv"
)

// Names of the processes, as operations and events call them.
const (
	etcd              = "etcd"
	apiserver         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	kwok              = "kwok"
	prometheus        = "prometheus"
)

// controllerManagerUser is who it is in every cluster: admission policies go by the name.
const controllerManagerUser = "system:" + controllerManager

// define tells the supervisor every program with its command line.
func (c *cluster) define() {
	pki := c.path("pki") + "/"
	c.add(etcd,
		"--name=foresail", "--data-dir="+c.path("etcd"), "--unsafe-no-fsync",
		// Sockets in the private run folder: etcd asks nobody for a password, so no port is opened. What
		// it advertises must look like host:port; a single member with local clients never dials it.
		"--listen-client-urls="+c.etcdURL("etcd.sock"), "--advertise-client-urls=http://localhost:1",
		"--listen-peer-urls="+c.etcdURL("peer.sock"), "--initial-advertise-peer-urls=http://localhost:2",
		"--initial-cluster=foresail=http://localhost:2",
		"--log-level=warn",
	)
	c.add(apiserver, append(c.apiserverAddress(),
		"--etcd-servers="+c.etcdURL("etcd.sock"),
		"--tls-cert-file="+pki+"api.crt", "--tls-private-key-file="+pki+"api.key",
		"--token-auth-file="+c.path("tokens.csv"), "--anonymous-auth=false",
		"--authorization-mode=Node,RBAC",
		"--service-account-key-file="+pki+"sa.pub", "--service-account-signing-key-file="+pki+"sa.key",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged=true",
		// Delegated authentication for aggregated servers. --enable-aggregator-routing stays off: only
		// then may an APIService stand on a Service of type ExternalName, such as localhost.
		"--requestheader-client-ca-file="+pki+"front-proxy-ca.crt", "--requestheader-allowed-names="+frontProxyName,
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+pki+"front-proxy.crt", "--proxy-client-key-file="+pki+"front-proxy.key",
		// Blocking, the default: the line is in the file before the answer is sent.
		"--audit-policy-file="+c.path("audit-policy.yaml"), "--audit-log-path="+c.path("audit.log"), "--audit-log-maxsize=0",
	)...)
	kcm := []string{
		"--kubeconfig=" + c.path("kubeconfigs/"+controllerManagerUser), "--leader-elect=false", "--secure-port=0",
		"--service-account-private-key-file=" + pki + "sa.key", "--root-ca-file=" + pki + "ca.crt",
		"--use-service-account-credentials=false", "--controllers=*,-cloud-node-lifecycle-controller",
		fmt.Sprintf("--kube-api-qps=%d", c.cfg.QPS), fmt.Sprintf("--kube-api-burst=%d", c.cfg.Burst),
	}
	for _, f := range []struct{ name, value string }{
		{"sync-period", c.cfg.HPASyncPeriod},
		{"downscale-stabilization", c.cfg.HPADownscaleStabilization},
		{"cpu-initialization-period", c.cfg.HPACPUInitializationPeriod},
		{"initial-readiness-delay", c.cfg.HPAInitialReadinessDelay},
	} {
		if f.value != "" {
			kcm = append(kcm, "--horizontal-pod-autoscaler-"+f.name+"="+f.value)
		}
	}
	if c.cfg.HPATolerance > 0 {
		kcm = append(kcm, "--horizontal-pod-autoscaler-tolerance="+strconv.FormatFloat(c.cfg.HPATolerance, 'g', -1, 64))
	}
	c.add(controllerManager, kcm...)
	c.add(scheduler,
		"--kubeconfig="+c.path("kubeconfigs/"+scheduler), "--leader-elect=false", "--secure-port=0",
		fmt.Sprintf("--kube-api-qps=%d", c.cfg.QPS), fmt.Sprintf("--kube-api-burst=%d", c.cfg.Burst),
	)
	c.add(kwok,
		"--kubeconfig="+c.path("kubeconfigs/"+kwok), "--config="+c.path("stages.yaml"),
		// Only nodes that this program made: a real kubelet may stand beside them.
		"--manage-all-nodes=false", "--manage-nodes-with-annotation-selector="+fakeNode+"=fake",
		"--cidr=10.200.0.0/16", "--node-lease-duration-seconds=40",
	)
	if p := c.cfg.Prometheus; p != nil {
		data, retention := p.DataDir, p.Retention
		if data == "" {
			data = c.path("prometheus/data")
		}
		if retention == "" {
			retention = "10y"
		}
		c.add(prometheus,
			"--config.file="+c.path("prometheus/prometheus.yml"), "--storage.tsdb.path="+data,
			"--storage.tsdb.retention.time="+retention, "--web.enable-remote-write-receiver",
			fmt.Sprintf("--web.listen-address=%s:%d", c.bindAddress(), c.port(prometheus)),
			"--log.level=warn",
		)
	}
	if c.room != nil {
		c.defineNode()
	}
}

// bindAddress is where servers listen: on loopback, or everywhere in a network of their own.
func (c *cluster) bindAddress() string {
	if c.room != nil {
		return "0.0.0.0"
	}
	return "127.0.0.1"
}

func (c *cluster) apiserverAddress() []string {
	args := []string{"--bind-address=" + c.bindAddress(), "--secure-port=" + strconv.Itoa(c.port(apiserver))}
	if c.room == nil {
		// Nothing here routes Service addresses, and a loopback endpoint is refused.
		return append(args, "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none")
	}
	return append(args, "--advertise-address="+nodeAddress,
		"--kubelet-preferred-address-types=InternalIP", // the node's name is nowhere to be looked up
		"--kubelet-client-certificate="+c.path("pki/kubelet-client.crt"), "--kubelet-client-key="+c.path("pki/kubelet-client.key"),
	)
}

func (c *cluster) add(name string, args ...string) {
	c.procs.add(&process{
		name: name, path: c.cfg.Binaries[name], args: append(args, c.cfg.ExtraArgs[name]...),
		log: c.path("logs/" + name + ".log"),
	})
}

func (c *cluster) etcdURL(socket string) string { return "unix://" + c.path(socket) }
