package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Addresses of the node's own network. There is no route out of it.
const (
	nodeAddress    = "10.97.0.1"
	serviceNetwork = "10.96.0.0/16"
	podNetwork     = "10.98.0.0/16"
)

// runInit is PID 1 of the room. Shims detach from containerd and become its children; it buries them,
// which the supervisor could not do without taking the exit codes of its own children from itself.
// Returns the supervisor's exit code.
func runInit(dir string, r *room) (int, error) {
	// The /proc that is still mounted is the outside's and calls this process by its number there.
	link, err := os.Readlink("/proc/self")
	if err != nil {
		return 0, err
	}
	if r.pid, err = strconv.Atoi(link); err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	if err := furnish(dir); err != nil {
		return 0, err
	}
	cmd := exec.Command(self, append([]string{"inside", "--dir", dir}, r.args()...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = r.listenerFiles()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, err
		case ended == cmd.Process.Pid && status.Exited():
			return status.ExitStatus(), nil
		case ended == cmd.Process.Pid && status.Signaled():
			return 0, fmt.Errorf("the supervisor was ended by %s", signalName(status.Signal()))
		}
	}
}

// furnish gives the room its own /proc, /run, /var and network. Programs of a node have paths there
// that no flag moves, and nothing of them may reach the machine's own folders.
func furnish(dir string) error {
	upper, work := filepath.Join(dir, "var"), filepath.Join(dir, "var-work")
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		// Cut off first, then shared again: containers may ask for propagation, and it ends in here.
		{"", "/", "", syscall.MS_REC | syscall.MS_PRIVATE, ""},
		{"", "/", "", syscall.MS_REC | syscall.MS_SHARED, ""},
		{"proc", "/proc", "proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, ""},
		{"run", "/run", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=755"},
		{"var", "/var", "overlay", 0, "lowerdir=/var,upperdir=" + upper + ",workdir=" + work},
	} {
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %s in the node's namespace: %w", m.target, err)
		}
	}
	for _, name := range kubeletTunables {
		if err := cover(filepath.Join("/proc/sys", name), filepath.Join(dir, "sysctl", name)); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return err
	}
	// Addresses outside 127/8 on lo stand for the machine's; the route makes Services reachable from here.
	batch := "link set lo up\n" +
		"address add " + nodeAddress + "/32 dev lo\n" +
		"route add " + serviceNetwork + " dev lo\n"
	path, err := findProgram("ip")
	if err != nil {
		return err
	}
	ip := exec.Command(path, "-batch", "-")
	ip.Stdin = strings.NewReader(batch)
	if out, err := ip.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// kubeletTunables are kernel settings that a kubelet sets, or else refuses to start. They are those of the
// whole machine, in no namespace; it gets copies to write to.
var kubeletTunables = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// cover lays a copy of a file over it.
func cover(path, replica string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(replica), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(replica, content, 0o600); err != nil {
		return err
	}
	if err := syscall.Mount(replica, path, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("covering %s: %w", path, err)
	}
	return nil
}

// systemPath is where programs of the machine are looked for: root's folders, whatever the caller's PATH.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func findProgram(name string) (string, error) {
	for _, dir := range strings.Split(systemPath, ":") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("the program %q is needed for a real node and is not in %s", name, systemPath)
}
