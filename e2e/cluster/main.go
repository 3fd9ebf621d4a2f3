// Foresail-cluster runs a Kubernetes control plane as plain processes of an ordinary user.
//
//	foresail-cluster --dir RUNDIR < control > events
//
// The first line on stdin is the configuration (config.go), every further one an operation
// (control.go); each line on stdout is an event. Node cannot tie the life of a child to its own,
// which is why this program exists: it ends when stdin closes, and what it started ends with it,
// even when it dies by SIGKILL (process.go).
//
// With a real node it runs three times, two of them in namespaces of their own (room.go). As "pause" it
// is what keeps the namespaces of a pod open, as "sweep" it removes the control groups of one that was killed.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	role, args := "", os.Args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		role, args = args[0], args[1:]
	}
	r := &room{}
	flags := flag.NewFlagSet("foresail-cluster", flag.ExitOnError)
	dir := flags.String("dir", "", "run folder: made when it is missing, removed at the end unless the configuration says keep")
	flags.IntVar(&r.outside, "outside", 0, "internal")
	flags.IntVar(&r.pid, "room", 0, "internal")
	flags.Func("reachable", "internal", func(name string) error {
		r.reachable = append(r.reachable, name)
		return nil
	})
	_ = flags.Parse(args) // ends the program itself
	if role == "pause" {
		pause()
		return
	}
	if *dir == "" || flags.NArg() > 0 {
		flags.Usage()
		os.Exit(2)
	}
	out := newEvents(os.Stdout)
	var err error
	switch role {
	case "":
		err = run(*dir, os.Stdin, out, nil)
	case "sweep":
		err = removeGroups(filepath.Base(*dir))
	case "init":
		var code int
		if code, err = runInit(*dir, r); err == nil {
			os.Exit(code)
		}
	case "inside":
		err = run(*dir, os.Stdin, out, r)
	default:
		flags.Usage()
		os.Exit(2)
	}
	if err != nil {
		if !errors.Is(err, errReported) {
			out.emit(event{"event": "error", "message": err.Error()})
		}
		os.Exit(1)
	}
}

// pause is the program of a pod's sandbox: it does nothing until it is asked to end.
func pause() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	<-asked
}

// run is the supervisor; inside is nil unless it runs in a room.
func run(dir string, in io.Reader, out *events, inside *room) error {
	// A starter that is gone closes our stdout too; that must not end us before the clean-up. Caught and
	// not ignored: what is ignored stays so in every program that we start, containers included.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP)
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
	if inside == nil {
		if err := claim(dir, cfg.Keep); err != nil {
			return err
		}
	}
	if cfg.RealNode != nil && inside == nil {
		return runInRoom(ctx, dir, cfg, lines)
	}
	c := &cluster{dir: dir, cfg: cfg, out: out, room: inside, reserved: map[string]*reservation{}}
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
