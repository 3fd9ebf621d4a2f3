package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const fakeNode = "kwok.x-k8s.io/node"

// poll asks until ready says nil. The last answer explains a time-out.
func poll(ctx context.Context, what string, limit time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if stop := (fatal{}); errors.As(err, &stop) {
			return stop
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s not ready after %s: %w", what, limit, err)
		case <-tick.C:
		}
	}
}

// fatal ends a poll: waiting longer would not help.
type fatal struct{ error }

func (c *cluster) connectAPI() error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.ca) {
		return errors.New("ca.crt holds no certificate")
	}
	c.http = &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 16, ForceAttemptHTTP2: true},
	}
	return nil
}

// call sends one request as admin and decodes the answer into out, if any.
func (c *cluster) call(ctx context.Context, method, path string, body, out any) error {
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url()+path, reader)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.tokens["admin"])
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(data))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

// serving waits until a process that was started does its work.
func (c *cluster) serving(ctx context.Context, p *process) error {
	const limit = 60 * time.Second
	var probe func(context.Context) error
	switch p.name {
	case etcd:
		probe = func(ctx context.Context) error {
			conn, err := (&net.Dialer{}).DialContext(ctx, "unix", c.path("etcd.sock"))
			if err == nil {
				conn.Close()
			}
			return err
		}
	case apiserver:
		probe = func(ctx context.Context) error { return c.call(ctx, http.MethodGet, "/readyz", nil, nil) }
	case prometheus:
		probe = func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.prometheusURL()+"/-/ready", nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return errors.New(resp.Status)
			}
			return nil
		}
	default:
		probe = func(ctx context.Context) error { return c.probeNode(ctx, p.name) }
	}
	return poll(ctx, p.name, limit, func(ctx context.Context) error {
		if !p.alive() {
			return fatal{fmt.Errorf("%s has ended by itself; the end of its log: %s", p.name, tail(p.log))}
		}
		return probe(ctx)
	})
}

func (c *cluster) makeNode(ctx context.Context, name string) error {
	capacity := map[string]string{"cpu": "1k", "memory": "4Ti", "pods": fmt.Sprint(c.cfg.PodsPerNode)}
	return c.call(ctx, http.MethodPost, "/api/v1/nodes", map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{
			"name":        name,
			"annotations": map[string]string{fakeNode: "fake"},
			"labels": map[string]string{
				"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "type": "kwok",
			},
		},
		"status": map[string]any{"capacity": capacity, "allocatable": capacity},
	}, nil)
}

// usable says nil once a pod could be created and scheduled: every node is Ready and untainted, and
// the controller-manager has made the service account that pods are given.
func (c *cluster) usable(ctx context.Context) error {
	if err := c.call(ctx, http.MethodGet, "/api/v1/namespaces/default/serviceaccounts/default", nil, nil); err != nil {
		return err
	}
	var nodes struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct{ Taints []any }
			Status   struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := c.call(ctx, http.MethodGet, "/api/v1/nodes?resourceVersion=0", nil, &nodes); err != nil {
		return err
	}
	for _, n := range nodes.Items {
		ready := len(n.Spec.Taints) == 0
		for _, cond := range n.Status.Conditions {
			if cond.Type == "Ready" {
				ready = ready && cond.Status == "True"
			}
		}
		if !ready || len(n.Status.Conditions) == 0 {
			return fmt.Errorf("node %s is not Ready", n.Metadata.Name)
		}
	}
	want := max(c.cfg.Nodes, 0)
	if c.room != nil {
		want++
	}
	if len(nodes.Items) < want {
		return fmt.Errorf("%d of %d nodes", len(nodes.Items), want)
	}
	return nil
}
