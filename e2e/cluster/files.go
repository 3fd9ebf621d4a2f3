package main

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

//go:embed stages.yaml
var stages []byte

// Every request to the API server leaves one line, with the user that made it.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// identities are the users of the cluster. Each program has its own token so that the audit log
// tells who did what; test-N are for tests that need the same. All but "nobody" are cluster admins.
func (c *cluster) identities() map[string][]string {
	admin := []string{"system:masters"}
	ids := map[string][]string{
		"admin": admin, controllerManagerUser: admin, scheduler: admin, kwok: admin,
		"test-1": admin, "test-2": admin, "test-3": admin, "test-4": admin,
		"nobody": nil,
	}
	if c.room != nil {
		maps.Copy(ids, nodeIdentities())
	}
	for name, groups := range c.cfg.Identities {
		ids[name] = groups
	}
	return ids
}

// writeFiles fills the run folder with all that the programs read.
func (c *cluster) writeFiles() error {
	for _, d := range []string{"pki", "kubeconfigs", "logs", "prometheus", "prometheus/targets"} {
		if err := os.MkdirAll(c.path(d), 0o700); err != nil {
			return err
		}
	}
	if err := makePKI(c.path("pki"), c.cfg.ServingNames); err != nil {
		return err
	}
	ca, err := os.ReadFile(c.path("pki/ca.crt"))
	if err != nil {
		return err
	}
	c.ca = ca
	c.tokens = map[string]string{}
	ids := c.identities()
	var csv strings.Builder
	for _, name := range sortedKeys(ids) {
		c.tokens[name] = randomToken()
		fmt.Fprintf(&csv, "%s,%s,%s,%q\n", c.tokens[name], name, name, strings.Join(ids[name], ","))
		if err := c.write("kubeconfigs/"+name, c.kubeconfig(name)); err != nil {
			return err
		}
	}
	if err := c.write("tokens.csv", []byte(csv.String())); err != nil {
		return err
	}
	if err := writeJSON(c.dir, "tokens.json", c.tokens); err != nil {
		return err
	}
	if err := c.write("audit-policy.yaml", []byte(auditPolicy)); err != nil {
		return err
	}
	if err := c.write("stages.yaml", stages); err != nil {
		return err
	}
	if p := c.cfg.Prometheus; p != nil {
		if err := c.writePrometheus(p); err != nil {
			return err
		}
	}
	if c.room != nil {
		return c.writeNodeFiles()
	}
	return nil
}

func (c *cluster) writePrometheus(p *prometheusConfig) error {
	if p.Config != "" {
		return c.write("prometheus/prometheus.yml", []byte(p.Config))
	}
	interval := p.ScrapeInterval
	if interval == "" {
		interval = "1s"
	}
	// Tests add and remove targets by writing files; a restart is never needed for it.
	text := fmt.Sprintf(`global: {scrape_interval: %[1]s, scrape_timeout: %[1]s, evaluation_interval: %[1]s}
storage: {tsdb: {out_of_order_time_window: 30d}}
scrape_configs:
- job_name: test
  file_sd_configs: [{files: [targets/*.json], refresh_interval: 1s}]
`, interval)
	if err := c.write("prometheus/prometheus.yml", []byte(text)); err != nil {
		return err
	}
	if len(p.Targets) == 0 {
		return nil
	}
	return writeJSON(c.path("prometheus/targets"), "configured.json", []any{map[string]any{"targets": p.Targets}})
}

func (c *cluster) kubeconfig(user string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: foresail
  cluster: {server: %q, certificate-authority-data: %s}
users:
- name: %[3]s
  user: {token: %[4]s}
contexts:
- name: foresail
  context: {cluster: foresail, user: %[3]s}
current-context: foresail
`, c.url(), base64.StdEncoding.EncodeToString(c.ca), user, c.tokens[user])
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *cluster) write(name string, data []byte) error {
	return os.WriteFile(c.path(name), data, 0o600)
}

func writeJSON(dir, name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	// Whole or not at all: other processes read these files.
	tmp := filepath.Join(dir, "."+name)
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, name))
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
