package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

type cluster struct {
	dir      string
	cfg      *config
	out      *events
	procs    *supervisor
	reserved map[string]*reservation
	tokens   map[string]string // by identity
	ca       []byte
	http     *http.Client
}

// boot returns when a pod could be created, scheduled and become Ready.
func (c *cluster) boot(ctx context.Context) error {
	// The kernel allows 107 bytes for the path of a socket; etcd adds nothing to it.
	if len(c.path("etcd.sock")) > 107 {
		return fmt.Errorf("the run folder's path is too long for a socket: %s", c.dir)
	}
	names := []string{apiserver}
	if c.cfg.Prometheus != nil {
		names = append(names, prometheus)
	}
	for _, name := range names {
		r, err := reserve()
		if err != nil {
			return err
		}
		c.reserved[name] = r
	}
	if err := c.writeFiles(); err != nil {
		return err
	}
	if err := c.connectAPI(); err != nil {
		return err
	}
	c.define()

	var wg sync.WaitGroup
	var prometheusErr error
	if c.cfg.Prometheus != nil {
		wg.Go(func() { prometheusErr = c.up(ctx, prometheus) })
	}
	err := c.bootKubernetes(ctx)
	wg.Wait()
	if err != nil {
		return err
	}
	return prometheusErr
}

func (c *cluster) bootKubernetes(ctx context.Context) error {
	for _, name := range []string{etcd, apiserver} {
		if err := c.up(ctx, name); err != nil {
			return err
		}
	}
	for _, name := range []string{controllerManager, scheduler, kwok} {
		if err := c.up(ctx, name); err != nil {
			return err
		}
	}
	for i := range max(c.cfg.Nodes, 0) {
		if err := c.makeNode(ctx, fmt.Sprintf("node-%d", i+1)); err != nil {
			return err
		}
	}
	return poll(ctx, "the cluster", 60*time.Second, func(ctx context.Context) error {
		for _, name := range []string{controllerManager, scheduler, kwok} {
			if p, err := c.procs.get(name); err != nil || !p.alive() {
				return fatal{fmt.Errorf("%s has ended by itself; the end of its log: %s", name, tail(c.path("logs/"+name+".log")))}
			}
		}
		return c.usable(ctx)
	})
}

func (c *cluster) up(ctx context.Context, name string) error {
	p, err := c.procs.get(name)
	if err != nil {
		return err
	}
	if err := c.procs.start(p); err != nil {
		return err
	}
	return c.serving(ctx, p)
}

// close ends every child and, unless it is to be kept, removes the run folder. The API server goes
// before etcd: without its store it waits long before it gives up.
func (c *cluster) close() {
	grace := time.Second // nothing of value is lost with a folder that is about to be removed
	if c.cfg.Keep {
		grace = 10 * time.Second
	}
	for _, tier := range [][]string{{prometheus, kwok, scheduler, controllerManager}, {apiserver}, {etcd}} {
		var wg sync.WaitGroup
		for _, name := range tier {
			if p, err := c.procs.get(name); err == nil {
				wg.Go(func() { p.end(syscall.SIGTERM, grace) })
			}
		}
		wg.Wait()
	}
	for _, r := range c.reserved {
		r.release()
	}
	if c.cfg.Keep {
		return
	}
	if err := os.RemoveAll(c.dir); err != nil {
		c.out.emit(event{"event": "error", "message": fmt.Sprintf("removing the run folder: %v", err)})
	}
}

// facts is what a starter needs to use the cluster; paths, never tokens.
func (c *cluster) facts() event {
	configs := map[string]string{}
	for name := range c.tokens {
		configs[name] = c.path("kubeconfigs/" + name)
	}
	logs := map[string]string{}
	for name := range c.pids() {
		logs[name] = c.path("logs/" + name + ".log")
	}
	f := event{
		"pid": os.Getpid(), "pids": c.pids(), "runDir": c.dir,
		"url": c.url(), "caFile": c.path("pki/ca.crt"), "tokensFile": c.path("tokens.json"),
		"kubeconfig": c.path("kubeconfigs/admin"), "kubeconfigs": configs,
		"auditLog": c.path("audit.log"), "logs": logs,
		"serving":  map[string]string{"cert": c.path("pki/serving.crt"), "key": c.path("pki/serving.key")},
		"etcdURL":  c.etcdURL("etcd.sock"),
		"binaries": c.cfg.Binaries,
	}
	if c.cfg.Prometheus != nil {
		f["prometheusURL"] = c.prometheusURL()
		f["prometheusTargets"] = c.path("prometheus/targets")
	}
	return f
}

func (c *cluster) pids() map[string]int {
	c.procs.mu.Lock()
	defer c.procs.mu.Unlock()
	pids := map[string]int{}
	for name, p := range c.procs.procs {
		pids[name] = p.pid()
	}
	return pids
}

func (c *cluster) port(name string) int { return c.reserved[name].port }
func (c *cluster) url() string          { return fmt.Sprintf("https://127.0.0.1:%d", c.port(apiserver)) }
func (c *cluster) prometheusURL() string {
	return fmt.Sprintf("http://127.0.0.1:%d", c.port(prometheus))
}

// tail is the end of a log, for an error message.
func tail(path string) string {
	data, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return err.Error()
	}
	data = bytes.TrimSpace(data)
	return string(data[max(0, len(data)-2000):])
}
