// Foresail-cluster runs a Kubernetes control plane as plain processes of an ordinary user.
//
//	foresail-cluster --dir RUNDIR < control > events
//
// The first line on stdin is the configuration (config.go), every further one an operation
// (control.go); each line on stdout is an event. Node cannot tie the life of a child to its own,
// which is why this program exists: it ends when stdin closes, and what it started ends with it,
// even when it dies by SIGKILL (process.go).
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	dir := flag.String("dir", "", "run folder: made when it is missing, removed at the end unless the configuration says keep")
	flag.Parse()
	if *dir == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	out := newEvents(os.Stdout)
	if err := run(*dir, os.Stdin, out); err != nil {
		out.emit(event{"event": "error", "message": err.Error()})
		os.Exit(1)
	}
}

func run(dir string, in io.Reader, out *events) error {
	// A starter that is gone closes our stdout too; that must not end us before the clean-up.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	lines := bufio.NewReaderSize(in, 1<<20)
	cfg, err := readConfig(lines)
	if err != nil {
		return err
	}
	if cfg.Detached {
		signal.Ignore(syscall.SIGINT)
	}
	if err := claim(dir, cfg.Keep); err != nil {
		return err
	}
	c := &cluster{dir: dir, cfg: cfg, out: out, reserved: map[string]*reservation{}}
	c.procs = newSupervisor(out)
	defer c.close()

	// From here on the end of stdin is the end of the cluster, during the boot as well.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	booted := make(chan struct{})
	go func() {
		err := c.serve(ctx, lines, booted)
		if !cfg.Detached || !errors.Is(err, io.EOF) {
			cancel(err)
		}
	}()

	begun := time.Now()
	if err := c.boot(ctx); err != nil {
		if ctx.Err() != nil { // asked to stop while booting: not a failure
			return nil
		}
		return err
	}
	facts := c.facts()
	facts["event"] = "ready"
	facts["bootSeconds"] = time.Since(begun).Seconds()
	if err := writeJSON(dir, "cluster.json", facts); err != nil {
		return err
	}
	out.emit(facts)
	close(booted)
	<-ctx.Done()
	return nil
}

// claim makes the run folder private and says whose it is, so that a later start can tell a folder
// in use from one that a SIGKILL left behind.
func claim(dir string, keep bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	return writeJSON(dir, "supervisor.json", map[string]any{"pid": os.Getpid(), "keep": keep})
}
