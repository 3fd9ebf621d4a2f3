package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The authorities and certificates of one cluster, valid for a month and for this machine alone.
//
//	ca.crt                       signs api.crt, kubelet-client.crt and serving.crt
//	api.crt, api.key             the API server
//	kubelet-client.crt, .key     the API server, to a real node's kubelet
//	serving.crt, serving.key     HTTPS servers of the tests on localhost (metrics APIs, webhooks)
//	front-proxy-ca.crt           signs front-proxy.crt, with which the API server shows itself to
//	                             aggregated servers
//	sa.key, sa.pub               service-account tokens
func makePKI(dir string, servingNames []string) error {
	ca, err := newAuthority("foresail-test-cluster")
	if err != nil {
		return err
	}
	frontProxy, err := newAuthority("foresail-test-front-proxy")
	if err != nil {
		return err
	}
	local := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	api := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPAddresses: append([]net.IP{net.IPv4(10, 96, 0, 1), net.ParseIP(nodeAddress)}, local...),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	serving := &x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"},
		// The wildcard: Services of any name in the namespace that e2e code uses for them.
		DNSNames:    append([]string{"localhost", "*.foresail-e2e.svc"}, servingNames...),
		IPAddresses: local,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	toKubelet := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	proxy := &x509.Certificate{
		Subject:     pkix.Name{CommonName: frontProxyName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, step := range []func() error{
		func() error { return writePEM(dir, "ca.crt", "CERTIFICATE", ca.der) },
		func() error { return writePEM(dir, "front-proxy-ca.crt", "CERTIFICATE", frontProxy.der) },
		func() error { return ca.issue(dir, "api", api) },
		func() error { return ca.issue(dir, "kubelet-client", toKubelet) },
		func() error { return ca.issue(dir, "serving", serving) },
		func() error { return frontProxy.issue(dir, "front-proxy", proxy) },
		func() error { return serviceAccountKey(dir) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("certificates: %w", err)
		}
	}
	return nil
}

const frontProxyName = "front-proxy-client"

type authority struct {
	cert *x509.Certificate
	der  []byte
	key  *ecdsa.PrivateKey
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if err := stamp(t); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, der, key}, err
}

func (a *authority) issue(dir, name string, t *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	if err := stamp(t); err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	if err := writePEM(dir, name+".crt", "CERTIFICATE", der); err != nil {
		return err
	}
	return writeKey(dir, name+".key", key)
}

func stamp(t *x509.Certificate) (err error) {
	t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	t.NotBefore = time.Now().Add(-time.Hour) // clocks of test code may be set back a little
	t.NotAfter = time.Now().AddDate(0, 1, 0)
	return err
}

func serviceAccountKey(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writePEM(dir, "sa.pub", "PUBLIC KEY", pub); err != nil {
		return err
	}
	return writeKey(dir, "sa.key", key)
}

func writeKey(dir, name string, key *ecdsa.PrivateKey) error {
	// SEC 1, not PKCS 8: the controller-manager reads its service-account key in either form.
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(dir, name, "EC PRIVATE KEY", der)
}

func writePEM(dir, name, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func randomToken() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}
