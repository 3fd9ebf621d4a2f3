package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// A real node needs root, mounts, a network and processes that detach themselves from their parent.
// All of it happens in a room: a PID, a mount and a network namespace of its own.
//
//	foresail-cluster --dir D       outside: holds the ports, starts the next one, cleans up after it
//	  foresail-cluster init        PID 1 of the room: furnishes it and buries orphans (init.go)
//	    foresail-cluster inside    the supervisor as ever, with a node beside the control plane
//
// Whoever of the three dies, by SIGKILL as well, the kernel ends PID 1 and with it every shim and
// container; mounts, bridges and rules go with their namespaces. What is left is a folder and empty
// control groups, which the one outside removes, or the next start.
type room struct {
	outside   int      // pid of the one outside
	pid       int      // pid of PID 1, as the outside sees it: the target of nsenter
	reachable []string // programs whose ports the outside holds; their listeners are descriptors 3, 4, …
}

const firstListener = 3

func (r *room) args() []string {
	args := []string{"--outside", strconv.Itoa(r.outside), "--room", strconv.Itoa(r.pid)}
	for _, name := range r.reachable {
		args = append(args, "--reachable", name)
	}
	return args
}

func (r *room) listenerFiles() []*os.File {
	var files []*os.File
	for i, name := range r.reachable {
		files = append(files, os.NewFile(uintptr(firstListener+i), "listener of "+name))
	}
	return files
}

// runInRoom runs the cluster in a room of its own until it ends or ctx does.
func runInRoom(ctx context.Context, dir string, cfg *config, lines *bufio.Reader) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("a real node needs root: it mounts, makes a network and starts containers")
	}
	if err := outsideOfCoveredFolders(dir); err != nil {
		return err
	}
	sweepGroups(filepath.Base(dir))
	if err := makeGroups(filepath.Base(dir)); err != nil {
		return err
	}
	r := &room{outside: os.Getpid(), reachable: cfg.reachable()}
	var files []*os.File
	for _, name := range r.reachable {
		listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return fmt.Errorf("listening for %s: %w", name, err)
		}
		defer listener.Close()
		file, err := listener.File()
		if err != nil {
			return err
		}
		defer file.Close()
		files = append(files, file)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// Pdeathsig looks at the thread that forks: this one stays until the program ends.
	runtime.LockOSThread()
	cmd := exec.Command(self, append([]string{"init", "--dir", dir}, r.args()...)...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdout, os.Stderr, files
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // Ctrl-C reaches the one outside alone
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("making namespaces: %w", err)
	}
	go relay(stdin, cfg, lines)
	go func() { <-ctx.Done(); stdin.Close() }() // which asks the supervisor inside to end
	ended := cmd.Wait()
	if left := removeGroups(filepath.Base(dir)); left != nil {
		fmt.Fprintf(os.Stderr, "foresail-cluster: control groups are left: %v\n", left)
	}
	if !cfg.Keep {
		if removing := os.RemoveAll(dir); removing != nil {
			fmt.Fprintf(os.Stderr, "foresail-cluster: removing the run folder: %v\n", removing)
		}
	}
	switch {
	case ended == nil || ctx.Err() != nil:
		return nil
	case cmd.ProcessState.ExitCode() > 0:
		return errReported
	}
	return fmt.Errorf("the namespaces of the node have ended: %w", ended)
}

// errReported says no more than that a failure has been told already, by the one inside who knew its reason.
var errReported = errors.New("reported")

// relay hands on the configuration and all operations. The end of our stdin ends the cluster inside,
// too, unless it is to outlive its starter.
func relay(stdin io.WriteCloser, cfg *config, lines io.Reader) {
	inside := *cfg
	inside.Detached = false
	line, err := json.Marshal(inside)
	if err == nil {
		_, err = stdin.Write(append(line, '\n'))
	}
	if err == nil {
		_, _ = io.Copy(stdin, lines)
	}
	if !cfg.Detached {
		stdin.Close()
	}
}

// outsideOfCoveredFolders refuses a run folder that nobody in the room would see (init.go).
func outsideOfCoveredFolders(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for _, covered := range []string{"/var/", "/run/"} {
		if strings.HasPrefix(real+"/", covered) {
			return fmt.Errorf("the run folder of a real node cannot lie below %s: %s (set TMPDIR to another folder)", covered, real)
		}
	}
	return nil
}

// reachable are the programs that the outside must be able to talk to.
func (cfg *config) reachable() []string {
	names := []string{apiserver}
	if cfg.Prometheus != nil {
		names = append(names, prometheus)
	}
	return names
}

// forward carries each connection of the outside's port to the same port in here. The listener was
// opened outside and stays a socket of that network, wherever the process that accepts lives.
func forward(listener net.Listener) {
	port := listener.Addr().(*net.TCPAddr).Port
	for {
		outer, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer outer.Close()
			inner, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
			if err != nil {
				return // nobody listens: the caller sees a connection that ends at once
			}
			defer inner.Close()
			done := make(chan struct{})
			go func() { _, _ = io.Copy(inner, outer); _ = inner.CloseWrite(); close(done) }()
			_, _ = io.Copy(outer, inner)
			_ = outer.(*net.TCPConn).CloseWrite()
			<-done
		}()
	}
}
