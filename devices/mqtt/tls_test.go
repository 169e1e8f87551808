package mqtt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// authority signs certificates for a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.pem = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

func (a *authority) issue(name string) (cert, key string) {
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		tmpl.IPAddresses = []net.IP{ip}
	} else {
		tmpl.DNSNames = []string{name}
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &k.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}))
}

func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// connectError returns why a connection cannot be made.
func connectError(t testing.TB, b Broker) string {
	t.Helper()
	s := new(sink)
	cfg := config(t, b.URL, s)
	b.ClientID = "facilityd-test"
	cfg.Broker = b
	c, stop := run(t, cfg)
	defer stop()
	eventually(t, "a reason", func() bool { return c.Status().State == Waiting })
	return c.Status().Reason
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	cert, key := ca.issue("127.0.0.1")
	clientCert, clientKey := ca.issue("facilityd")
	strangeCert, strangeKey := other.issue("stranger")
	broker := mosquittotest.Start(t, mosquittotest.Options{
		Config: "cafile {{dir}}/ca.pem\ncertfile {{dir}}/cert.pem\nkeyfile {{dir}}/key.pem\nrequire_certificate true\nuse_identity_as_username true\n",
		Files:  map[string]string{"ca.pem": ca.pem, "cert.pem": cert, "key.pem": key},
	})
	url := "mqtts://" + broker.Addr
	caFile, certFile, keyFile := file(t, "ca.pem", ca.pem), file(t, "cert.pem", clientCert), file(t, "key.pem", clientKey)

	s := new(sink)
	cfg := config(t, url, s)
	cfg.Broker.CAFile, cfg.Broker.CertFile, cfg.Broker.KeyFile = caFile, certFile, keyFile
	c, stop := run(t, cfg)
	connected(t, c)
	p, err := NewPublisher(t.Context(), PublisherConfig{Broker: Broker{URL: url, CAFile: caFile, CertFile: certFile, KeyFile: keyFile}})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, p, "site/a", "over TLS")
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message over TLS", func() bool { return s.count() == 1 })
	stop()

	_, port, _ := net.SplitHostPort(broker.Addr)
	for _, tc := range []struct {
		what string
		b    Broker
		want string
	}{
		{"unknown authority", Broker{URL: url, CertFile: certFile, KeyFile: keyFile}, "set the CA file"},
		{"another name", Broker{URL: url, CAFile: caFile, CertFile: certFile, KeyFile: keyFile, ServerName: "broker.example"}, "for another name"},
		{"another host name", Broker{URL: "mqtts://localhost:" + port, CAFile: caFile, CertFile: certFile, KeyFile: keyFile}, "set the server name"},
		{"no client certificate", Broker{URL: url, CAFile: caFile}, "client certificate"},
		{"a stranger's certificate", Broker{URL: url, CAFile: caFile, CertFile: file(t, "c", strangeCert), KeyFile: file(t, "k", strangeKey)}, "client certificate"},
		{"no such file", Broker{URL: url, CAFile: "/does/not/exist"}, "read certificate authority"},
		{"no PEM", Broker{URL: url, CAFile: keyFile}, "holds no PEM certificate"},
		{"key of another certificate", Broker{URL: url, CAFile: caFile, CertFile: certFile, KeyFile: file(t, "k", strangeKey)}, "read client certificate"},
		{"plain to the TLS port", Broker{URL: "mqtt://" + broker.Addr}, "does the broker want TLS"},
	} {
		if got := connectError(t, tc.b); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s", tc.what, got)
		}
	}
}
