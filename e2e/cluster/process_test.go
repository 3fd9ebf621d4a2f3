package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// recorder keeps the events that a supervisor emits.
type recorder struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *recorder) exits(t *testing.T) []event {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []event
	for line := range bytes.Lines(r.buf.Bytes()) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if e["event"] == "exited" {
			found = append(found, e)
		}
	}
	return found
}

func newTestProcess(t *testing.T, script string) (*supervisor, *process, *recorder) {
	t.Helper()
	r := &recorder{}
	s := newSupervisor(newEvents(r))
	p := &process{name: "p", path: "/bin/sh", args: []string{"-c", script}, log: filepath.Join(t.TempDir(), "p.log")}
	s.add(p)
	if err := s.start(p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end(syscall.SIGKILL, time.Second) })
	return s, p, r
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s: not within 10 s", what)
}

func TestEndInsistsWithSIGKILL(t *testing.T) {
	_, p, r := newTestProcess(t, `trap '' TERM; echo set; while :; do sleep 0.05; done`)
	eventually(t, "the trap", func() bool { return strings.Contains(tail(p.log), "set") })
	p.end(syscall.SIGTERM, 100*time.Millisecond)
	if p.alive() {
		t.Error("still alive after end")
	}
	eventually(t, "the event", func() bool { return len(r.exits(t)) == 1 })
	if e := r.exits(t)[0]; e["signal"] != "SIGKILL" || e["expected"] != true {
		t.Errorf("event %v", e)
	}
}

func TestEndReachesAFrozenProcess(t *testing.T) {
	_, p, r := newTestProcess(t, `exec sleep 600`)
	if err := p.signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.end(syscall.SIGTERM, 10*time.Second)
	eventually(t, "the event", func() bool { return len(r.exits(t)) == 1 })
	if e := r.exits(t)[0]; e["signal"] != "SIGTERM" {
		t.Errorf("event %v", e)
	}
}

func TestADeathNobodyAskedForIsReportedAndStartWorksAgain(t *testing.T) {
	s, p, r := newTestProcess(t, `exit 7`)
	eventually(t, "the event", func() bool { return len(r.exits(t)) == 1 })
	if e := r.exits(t)[0]; e["code"] != 7.0 || e["expected"] != false {
		t.Errorf("event %v", e)
	}
	if err := p.signal(syscall.SIGSTOP); err == nil {
		t.Error("a signal to a dead process was accepted")
	}
	if err := s.start(p); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second end", func() bool { return len(r.exits(t)) == 2 })
}

// The kernel ends the children of a supervisor that dies by SIGKILL. The test binary plays the supervisor.
func TestChildrenDieWithAKilledSupervisor(t *testing.T) {
	const marker = "FORESAIL_PLAY_SUPERVISOR"
	if os.Getenv(marker) != "" {
		s := newSupervisor(newEvents(os.Stdout))
		p := &process{name: "p", path: "/bin/sleep", args: []string{"600"}, log: os.DevNull}
		if err := s.start(p); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), marker+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var started struct{ PID int }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &started); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(started.PID, 0); err != nil {
		t.Fatalf("the child %d does not run: %v", started.PID, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	eventually(t, "the end of the child", func() bool {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(started.PID) + "/status")
		return err != nil || strings.Contains(string(status), "\nState:\tZ") // nobody may be there to bury it
	})
}
