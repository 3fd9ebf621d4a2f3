package main

import (
	"bufio"
	"strings"
	"testing"
)

const programs = `"binaries":{"etcd":"e","kube-apiserver":"a","kube-controller-manager":"c","kube-scheduler":"s","kwok":"k"}`

func TestReadConfig(t *testing.T) {
	for _, test := range []struct{ name, line, wantErr string }{
		{"complete", `{` + programs + `}`, ""},
		{"a program is missing", `{"binaries":{"etcd":"e"}}`, "binaries.kube-apiserver is missing"},
		{"prometheus is missing when asked for", `{` + programs + `,"prometheus":{}}`, "binaries.prometheus is missing"},
		{"a program of the node is missing when asked for", `{` + programs + `,"realNode":{}}`, "binaries.containerd is missing"},
		{"an unknown field", `{` + programs + `,"node":3}`, `unknown field "node"`},
		{"not JSON", `--nodes=3`, "configuration on the first line of stdin"},
		{"nothing", ``, "configuration on the first line of stdin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, err := readConfig(bufio.NewReader(strings.NewReader(test.line + "\n")))
			if test.wantErr == "" {
				if err != nil {
					t.Fatal(err)
				}
				if cfg.Nodes != 2 || cfg.QPS != 300 {
					t.Errorf("defaults: %+v", cfg)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("error %v, want %q in it", err, test.wantErr)
			}
		})
	}
}
