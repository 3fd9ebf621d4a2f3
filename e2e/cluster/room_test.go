package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestARunFolderThatTheRoomWouldCoverIsRefused(t *testing.T) {
	tmp := t.TempDir()
	link := filepath.Join(tmp, "link")
	if err := os.Symlink("/var", link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		dir     string
		refused bool
	}{{tmp, false}, {"/", false}, {"/var", true}, {"/var/tmp", true}, {"/run", true}, {link, true}} {
		if err := outsideOfCoveredFolders(test.dir); (err != nil) != test.refused {
			t.Errorf("%s: %v", test.dir, err)
		}
	}
}

func TestARoomIsHandedOnByArguments(t *testing.T) {
	r := &room{outside: 12, pid: 34, reachable: []string{apiserver, prometheus}}
	want := "--outside 12 --room 34 --reachable kube-apiserver --reachable prometheus"
	if got := strings.Join(r.args(), " "); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRemoveTree(t *testing.T) {
	root := filepath.Join(t.TempDir(), "group")
	if err := os.MkdirAll(filepath.Join(root, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	inUse := filepath.Join(root, "a/b/file") // stands for a process, which a group cannot be removed with either
	if err := os.WriteFile(inUse, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := removeTree(root); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("with something in it: %v", err)
	}
	if err := os.Remove(inUse); err != nil {
		t.Fatal(err)
	}
	if err := removeTree(root); err != nil {
		t.Error(err)
	}
	if err := removeTree(root); err != nil {
		t.Errorf("when it is gone: %v", err)
	}
}
