package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNodeFilesAreWhole(t *testing.T) {
	if _, err := findProgram("runc"); err != nil {
		t.Skip(err) // its path stands in one of them
	}
	binaries := map[string]string{}
	for _, name := range cniPlugins {
		binaries[name] = "/bin/true"
	}
	c := &cluster{dir: filepath.Join(t.TempDir(), `a "quoted" name`), cfg: &config{
		Binaries: binaries, RealNode: &nodeConfig{SandboxImage: "localhost/pause:1"},
	}}
	if err := c.writeNodeFiles(); err != nil {
		t.Fatal(err)
	}
	for name := range nodeFiles {
		data, err := os.ReadFile(c.path("node/" + name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "{{") || len(data) == 0 {
			t.Errorf("%s: %s", name, data)
		}
	}
	data, err := os.ReadFile(c.path("node/cni/10-foresail.conflist"))
	if err != nil {
		t.Fatal(err)
	}
	var network struct{ Plugins []struct{ Type string } }
	if err := json.Unmarshal(data, &network); err != nil {
		t.Fatal(err)
	}
	for _, plugin := range network.Plugins {
		if _, err := os.Stat(c.path("node/cni-bin/" + plugin.Type)); err != nil {
			t.Error(err)
		}
	}
}
