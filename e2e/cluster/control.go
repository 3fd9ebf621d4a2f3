package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

type event map[string]any

// events writes one JSON object a line. After the reader has gone it keeps quiet.
type events struct {
	mu sync.Mutex
	w  io.Writer
}

func newEvents(w io.Writer) *events { return &events{w: w} }

func (e *events) emit(ev event) {
	line, err := json.Marshal(ev)
	if err != nil {
		panic(err) // only strings, numbers and maps of them are ever put in
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = e.w.Write(append(line, '\n'))
}

// operation is a line on stdin: {"id":1,"op":"kill","process":"kube-apiserver"}. Each gets one
// {"event":"reply","id":1} line, with "error" when it failed. They run side by side.
//
//	stop     SIGTERM, SIGKILL after ten seconds; replies when the process has ended
//	kill     SIGKILL; replies when the process has ended
//	start    replies when the process serves
//	restart  stop and start
//	signal   one of SIGSTOP SIGCONT SIGKILL SIGTERM SIGINT SIGHUP; replies at once
//	status   pids by process, 0 for those that do not run
//	shutdown ends the cluster
type operation struct {
	ID      int    `json:"id"`
	Op      string `json:"op"`
	Process string `json:"process"`
	Signal  string `json:"signal"`
}

var errShutdown = errors.New("shutdown asked for")

// serve reads operations until stdin ends or a shutdown is asked for.
func (c *cluster) serve(ctx context.Context, in *bufio.Reader, booted <-chan struct{}) error {
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return err
		}
		var op operation
		if err := json.Unmarshal(line, &op); err != nil {
			c.out.emit(event{"event": "reply", "error": fmt.Sprintf("not an operation: %v", err)})
			continue
		}
		if op.Op == "shutdown" {
			return errShutdown
		}
		go func() {
			select {
			case <-booted:
			case <-ctx.Done():
				return
			}
			reply := event{"event": "reply", "id": op.ID}
			if err := c.do(ctx, op, reply); err != nil {
				reply["error"] = err.Error()
			}
			c.out.emit(reply)
		}()
	}
}

func (c *cluster) do(ctx context.Context, op operation, reply event) error {
	if op.Op == "status" {
		reply["pids"] = c.pids()
		return nil
	}
	p, err := c.procs.get(op.Process)
	if err != nil {
		return err
	}
	switch op.Op {
	case "stop":
		p.end(syscall.SIGTERM, 10*time.Second)
		return nil
	case "kill":
		p.end(syscall.SIGKILL, 10*time.Second)
		return nil
	case "signal":
		sig, ok := signals[op.Signal]
		if !ok {
			return fmt.Errorf("unknown signal %q", op.Signal)
		}
		return p.signal(sig)
	case "restart":
		p.end(syscall.SIGTERM, 10*time.Second)
		fallthrough
	case "start":
		if err := c.procs.start(p); err != nil {
			return err
		}
		reply["pid"] = p.pid()
		return c.serving(ctx, p)
	}
	return fmt.Errorf("unknown operation %q", op.Op)
}
