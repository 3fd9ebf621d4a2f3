package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

func TestMakePKI(t *testing.T) {
	dir := t.TempDir()
	if err := makePKI(dir, []string{"metrics.demo.svc"}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", f.Name(), info.Mode().Perm())
		}
	}
	for _, test := range []struct {
		cert, ca, name string
		usage          x509.ExtKeyUsage
		trusted        bool
	}{
		{"api", "ca", "127.0.0.1", x509.ExtKeyUsageServerAuth, true},
		{"api", "ca", "kubernetes.default.svc", x509.ExtKeyUsageServerAuth, true},
		{"api", "ca", nodeAddress, x509.ExtKeyUsageServerAuth, true},
		{"kubelet-client", "ca", "", x509.ExtKeyUsageClientAuth, true},
		{"kubelet-client", "front-proxy-ca", "", x509.ExtKeyUsageClientAuth, false},
		{"serving", "ca", "localhost", x509.ExtKeyUsageServerAuth, true},
		{"serving", "ca", "anything.foresail-e2e.svc", x509.ExtKeyUsageServerAuth, true},
		{"serving", "ca", "metrics.demo.svc", x509.ExtKeyUsageServerAuth, true},
		{"serving", "ca", "kubernetes.default.svc", x509.ExtKeyUsageServerAuth, false},
		{"front-proxy", "front-proxy-ca", "", x509.ExtKeyUsageClientAuth, true},
		{"front-proxy", "ca", "", x509.ExtKeyUsageClientAuth, false},
	} {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, test.cert+".crt"), filepath.Join(dir, test.cert+".key"))
		if err != nil {
			t.Fatal(err)
		}
		ca, err := os.ReadFile(filepath.Join(dir, test.ca+".crt"))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: test.name, Roots: roots, KeyUsages: []x509.ExtKeyUsage{test.usage}})
		if (err == nil) != test.trusted {
			t.Errorf("%s for %q by %s: %v", test.cert, test.name, test.ca, err)
		}
	}
}
