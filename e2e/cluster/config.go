package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// config is the first line on stdin. Durations are strings as Kubernetes' flags take them ("15s").
type config struct {
	// Programs by name; etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok are
	// needed, prometheus when Prometheus is set.
	Binaries map[string]string `json:"binaries"`
	Keep     bool              `json:"keep"`     // leave the run folder at the end
	Detached bool              `json:"detached"` // do not end with stdin; only a signal ends it

	// RealNode: one node with a real kubelet beside the fake ones. Needs root.
	RealNode *nodeConfig `json:"realNode"`

	Nodes       int `json:"nodes"`       // kwok nodes, default 2; -1 for none
	PodsPerNode int `json:"podsPerNode"` // default 2000

	HPASyncPeriod             string `json:"hpaSyncPeriod"`
	HPADownscaleStabilization string `json:"hpaDownscaleStabilization"`
	// HPACPUInitializationPeriod and HPAInitialReadinessDelay: how long HPA distrusts a young pod's CPU.
	HPACPUInitializationPeriod string  `json:"hpaCpuInitializationPeriod"`
	HPAInitialReadinessDelay   string  `json:"hpaInitialReadinessDelay"`
	HPATolerance               float64 `json:"hpaTolerance"`
	QPS                        int     `json:"qps"`   // of controller-manager and scheduler, default 300
	Burst                      int     `json:"burst"` // default 500

	// ExtraArgs by program, appended: the last of two equal flags wins.
	ExtraArgs map[string][]string `json:"extraArgs"`
	// Identities beside the fixed ones, name to groups.
	Identities map[string][]string `json:"identities"`
	// ServingNames are further DNS names of the serving certificate (NAME.NAMESPACE.svc).
	ServingNames []string `json:"servingNames"`

	Prometheus *prometheusConfig `json:"prometheus"`
}

type nodeConfig struct {
	// Images are archives that containerd has before the first pod starts; the first holds SandboxImage.
	Images       []string `json:"images"`
	SandboxImage string   `json:"sandboxImage"`
}

type prometheusConfig struct {
	// Config is a whole prometheus.yml. Empty: Targets and every file below prometheus/targets are
	// scraped each ScrapeInterval (default 1s).
	Config         string   `json:"config"`
	Targets        []string `json:"targets"`
	ScrapeInterval string   `json:"scrapeInterval"`
	DataDir        string   `json:"dataDir"`   // used in place; empty: in the run folder
	Retention      string   `json:"retention"` // default 10y, so that back-filled history stays
}

func readConfig(in *bufio.Reader) (*config, error) {
	line, err := in.ReadBytes('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	cfg := &config{Nodes: 2, PodsPerNode: 2000, QPS: 300, Burst: 500}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(cfg); err != nil {
		return nil, fmt.Errorf("configuration on the first line of stdin: %w", err)
	}
	needed := []string{etcd, apiserver, controllerManager, scheduler, kwok}
	if cfg.Prometheus != nil {
		needed = append(needed, prometheus)
	}
	if cfg.RealNode != nil {
		needed = append(needed, nodePrograms...)
		needed = append(needed, cniPlugins...)
		needed = append(needed, "ctr", "containerd-shim-runc-v2")
	}
	for _, name := range needed {
		if cfg.Binaries[name] == "" {
			return nil, fmt.Errorf("binaries.%s is missing", name)
		}
	}
	return cfg, nil
}
