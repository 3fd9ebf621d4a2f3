package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
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
	room     *room // nil without a real node
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
	if err := c.takePorts(); err != nil {
		return err
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

// takePorts reserves a port for each program that others talk to. In a room the one outside holds them
// already; the same numbers are taken in here, so that a kubeconfig is right on both sides.
func (c *cluster) takePorts() error {
	listeners := map[string]net.Listener{}
	if c.room != nil {
		for i, file := range c.room.listenerFiles() {
			listener, err := net.FileListener(file)
			if err != nil {
				return fmt.Errorf("%s: %w", file.Name(), err)
			}
			listeners[c.room.reachable[i]] = listener
		}
	}
	for _, name := range c.cfg.reachable() {
		port := 0
		listener := listeners[name]
		if listener != nil {
			port = listener.Addr().(*net.TCPAddr).Port
		}
		r, err := reserve(port)
		if err != nil {
			return err
		}
		c.reserved[name] = r
		if listener != nil {
			go forward(listener)
		}
	}
	return nil
}

func (c *cluster) bootKubernetes(ctx context.Context) error {
	var containers chan error
	if c.room != nil {
		containers = make(chan error, 1)
		go func() { containers <- c.bootContainers(ctx) }()
	}
	for _, name := range append([]string{etcd, apiserver}, c.controllers()...) {
		if err := c.up(ctx, name); err != nil {
			return err
		}
	}
	if c.room != nil {
		if err := <-containers; err != nil {
			return err
		}
		if err := c.bootNode(ctx); err != nil {
			return err
		}
	}
	for i := range max(c.cfg.Nodes, 0) {
		if err := c.makeNode(ctx, fmt.Sprintf("node-%d", i+1)); err != nil {
			return err
		}
	}
	return poll(ctx, "the cluster", 60*time.Second, func(ctx context.Context) error {
		for _, name := range c.background() {
			if p, err := c.procs.get(name); err != nil || !p.alive() {
				return fatal{fmt.Errorf("%s has ended by itself; the end of its log: %s", name, tail(c.path("logs/"+name+".log")))}
			}
		}
		return c.usable(ctx)
	})
}

// controllers are the clients of the API server that every cluster needs; kwok only where nodes are fake.
func (c *cluster) controllers() []string {
	names := []string{controllerManager, scheduler}
	if c.room == nil || c.cfg.Nodes > 0 {
		names = append(names, kwok)
	}
	return names
}

// background are the processes whose work shows in no answer of their own.
func (c *cluster) background() []string {
	names := c.controllers()
	if c.room != nil {
		names = append(names, nodePrograms...)
	}
	return names
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
	clients := append([]string{prometheus, kwok, scheduler, controllerManager}, nodePrograms...)
	for _, tier := range [][]string{clients, {apiserver}, {etcd}} {
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
	if c.cfg.Keep || c.room != nil { // the one outside removes it, when nothing writes any more
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
	if c.room != nil {
		f["pid"], f["node"] = c.room.outside, c.nodeFacts()
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
