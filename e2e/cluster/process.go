package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// supervisor owns the child processes. Each child carries Pdeathsig=SIGKILL: the kernel ends it when
// the thread that started it ends, so the children of a killed supervisor do not outlive it.
type supervisor struct {
	out    *events
	spawns chan spawn

	mu    sync.Mutex
	procs map[string]*process
}

type spawn struct {
	cmd  *exec.Cmd
	done chan error
}

// process is one program that can be started again and again with the same arguments.
type process struct {
	name, path, log string
	args            []string
	env             []string // default: a bare PATH

	op sync.Mutex // one operation at a time

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan struct{} // closed when cmd has ended
	expects bool          // we asked for the end of cmd
}

func newSupervisor(out *events) *supervisor {
	s := &supervisor{out: out, spawns: make(chan spawn), procs: map[string]*process{}}
	go func() {
		// Pdeathsig looks at the parent THREAD. This goroutine keeps one for as long as the program
		// lives; without it the runtime may end the thread, and the children with it.
		runtime.LockOSThread()
		for sp := range s.spawns {
			sp.done <- sp.cmd.Start()
		}
	}()
	return s
}

func (s *supervisor) add(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.procs[p.name] = p
}

func (s *supervisor) get(name string) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.procs[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("no process is called %q", name)
}

func (s *supervisor) start(p *process) error {
	p.op.Lock()
	defer p.op.Unlock()
	if p.alive() {
		return fmt.Errorf("%s is already running", p.name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	// Nothing of the caller's environment: proxies and kubeconfigs there must not reach the cluster.
	cmd.Env = append([]string{"HOME=/nonexistent", "PATH=/usr/bin:/bin"}, p.env...)
	// An own process group: Ctrl-C reaches the supervisor alone, which then stops in the right order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	done := make(chan error)
	s.spawns <- spawn{cmd, done}
	if err := <-done; err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	exited := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.exited, p.expects = cmd, exited, false
	p.mu.Unlock()
	s.out.emit(event{"event": "started", "process": p.name, "pid": cmd.Process.Pid})
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		expected := p.expects
		close(exited)
		p.mu.Unlock()
		e := event{"event": "exited", "process": p.name, "pid": cmd.Process.Pid, "expected": expected, "code": cmd.ProcessState.ExitCode()}
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			e["signal"] = signalName(ws.Signal())
		}
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			e["message"] = err.Error()
		}
		s.out.emit(e)
	}()
	return nil
}

func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func (p *process) pid() int {
	if !p.alive() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// end asks for the end with sig and insists with SIGKILL after grace. Without a process it does nothing.
func (p *process) end(sig syscall.Signal, grace time.Duration) {
	p.op.Lock()
	defer p.op.Unlock()
	if !p.alive() {
		return
	}
	p.mu.Lock()
	p.expects = true
	cmd, exited := p.cmd, p.exited
	p.mu.Unlock()
	_ = cmd.Process.Signal(sig)
	_ = cmd.Process.Signal(syscall.SIGCONT) // a frozen process cannot act on SIGTERM
	select {
	case <-exited:
	case <-time.After(grace):
		_ = cmd.Process.Kill()
		<-exited
	}
}

func (p *process) signal(sig syscall.Signal) error {
	if !p.alive() {
		return fmt.Errorf("%s is not running", p.name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if sig == syscall.SIGKILL || sig == syscall.SIGTERM || sig == syscall.SIGINT {
		p.expects = true
	}
	return p.cmd.Process.Signal(sig)
}

var signals = map[string]syscall.Signal{
	"SIGSTOP": syscall.SIGSTOP, "SIGCONT": syscall.SIGCONT, "SIGKILL": syscall.SIGKILL,
	"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGHUP": syscall.SIGHUP,
}

func signalName(sig syscall.Signal) string {
	for name, s := range signals {
		if s == sig {
			return name
		}
	}
	return sig.String()
}
