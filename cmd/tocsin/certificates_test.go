package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"tocsin/api"
	"tocsin/config"
	"tocsin/playground"
)

// keyPair is a certificate for 127.0.0.1 that is its own authority, and its key, as PEM.
type keyPair struct{ cert, key []byte }

func newKeyPair(t *testing.T, from, until time.Time) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: rand.Text()}, NotBefore: from, NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})}
}

// goodPair is one that is valid now.
func goodPair(t *testing.T) keyPair {
	return newKeyPair(t, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
}

// write writes the pair as tls.crt and tls.key.
func (k keyPair) write(t *testing.T, dir string) {
	t.Helper()
	for name, content := range map[string][]byte{"tls.crt": k.cert, "tls.key": k.key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACertificateThatCantBeUsedIsAMistakeOfTheConfiguration(t *testing.T) {
	good, now := goodPair(t), time.Now()
	both := "cert_file: DIR/tls.crt, key_file: DIR/tls.key"
	for name, c := range map[string]struct {
		pair keyPair
		tls  string
		says string // nothing for a good one
	}{
		"good":              {pair: good, tls: both},
		"good, for clients": {pair: good, tls: both + ", client_ca_file: DIR/tls.crt"},
		"another's key":     {keyPair{good.cert, goodPair(t).key}, both, "private key does not match public key"},
		"a key for a cert":  {keyPair{good.key, good.key}, both, "can't be used with listen.tls.key_file"},
		"expired":           {newKeyPair(t, now.Add(-48*time.Hour), now.Add(-24*time.Hour)), both, "has expired on "},
		"not valid yet":     {newKeyPair(t, now.Add(24*time.Hour), now.Add(48*time.Hour)), both, "is not valid before "},
		"no file":           {good, "cert_file: DIR/none.crt, key_file: DIR/tls.key", "no such file"},
		"no key":            {good, "cert_file: DIR/tls.crt", "needs listen.tls.key_file"},
		"no certificate":    {good, "key_file: DIR/tls.key", "needs listen.tls.cert_file"},
		"clients alone":     {good, "client_ca_file: DIR/tls.crt", "needs listen.tls.cert_file"},
		"no authority":      {good, both + ", client_ca_file: DIR/tls.key", "has no certificate"},
	} {
		dir := t.TempDir()
		c.pair.write(t, dir)
		file := filepath.Join(dir, "tocsin.yaml")
		if err := os.WriteFile(file, []byte("default_channel: \"#alerts\"\nlisten:\n  tls: {"+strings.ReplaceAll(c.tls, "DIR", dir)+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"config check", "serve"} {
			if c.says == "" && command == "serve" {
				continue
			}
			var out bytes.Buffer
			code := run(t.Context(), append(strings.Fields(command), "--config", file), world{stdout: &out, stderr: &out, getenv: func(name string) string { return map[string]string{"HOME": dir}[name] }})
			if want := map[bool]int{true: exitOK, false: exitUsage}[c.says == ""]; code != want || !strings.Contains(out.String(), c.says) || c.says != "" && !strings.Contains(out.String(), file+":3:") {
				t.Errorf("%s: %s ends with %d and says %s", name, command, code, &out)
			}
			if strings.Contains(out.String(), "PRIVATE") {
				t.Errorf("%s: the key is printed", name)
			}
		}
	}
}

// over asks for the health of the daemon over TLS and returns the certificate that it has
// shown.
func (p *process) over(trusted []byte, own *keyPair) (shown []byte, err error) {
	p.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(trusted)
	use := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	if own != nil {
		pair, err := tls.X509KeyPair(own.cert, own.key)
		if err != nil {
			p.t.Fatal(err)
		}
		use.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: use}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "https://"+p.env["TOCSIN_LISTEN"]+"/healthz", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: resp.TLS.PeerCertificates[0].Raw}), nil
}

func TestTCPIsEncryptedAndAnotherCertificateIsUsedUnlessItIsABadOne(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	first, second, clients := goodPair(t), goodPair(t), goodPair(t)
	first.write(t, p.dir)
	ca := filepath.Join(p.dir, "clients.crt")
	if err := os.WriteFile(ca, clients.cert, 0o600); err != nil {
		t.Fatal(err)
	}
	p.configure("listen: {tls: {cert_file: " + p.dir + "/tls.crt, key_file: " + p.dir + "/tls.key, client_ca_file: " + ca + "}}\nslack: {ca_file: " + ca + "}\n")
	p.start()
	if shown, err := p.over(first.cert, &clients); err != nil || !bytes.Equal(shown, first.cert) {
		t.Fatalf("the first certificate: %v", err)
	}
	if _, err := p.over(first.cert, nil); err == nil {
		t.Error("a client without a certificate is answered")
	}
	if _, err := p.over(first.cert, &second); err == nil {
		t.Error("a client with another authority's certificate is answered")
	}
	if got := p.request("", http.MethodGet, "/healthz", ""); got.status == http.StatusOK {
		t.Error("it is answered without TLS")
	}

	keyPair{second.cert, first.key}.write(t, p.dir)
	if out, status := p.tryCommand("config", "reload"); status != exitUsage || !strings.Contains(out, "private key does not match") {
		t.Errorf("with a bad pair the reload ends with %d and says %s", status, out)
	}
	if shown, err := p.over(first.cert, &clients); err != nil || !bytes.Equal(shown, first.cert) {
		t.Errorf("after a bad pair: %v", err)
	}
	second.write(t, p.dir)
	if out, status := p.tryCommand("config", "reload"); status != exitOK || !strings.Contains(out, "changed:\n  listen.tls.cert_file: changed\n  listen.tls.key_file: changed\n") {
		t.Errorf("with a good pair the reload ends with %d and says %s", status, out)
	}
	if shown, err := p.over(second.cert, &clients); err != nil || !bytes.Equal(shown, second.cert) {
		t.Errorf("after a good pair: %v", err)
	}

	if err := os.WriteFile(ca, slices.Concat(clients.cert, second.cert), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := p.tryCommand("config", "reload"); status != exitOK || !strings.Contains(out, "changed:\n  listen.tls.client_ca_file: changed\n") || !strings.Contains(out, "restarted:\n  slack.ca_file: changed\n") {
		t.Errorf("with another authority the reload ends with %d and says %s", status, out)
	}

	third, moved := goodPair(t), t.TempDir()
	third.write(t, moved)
	p.configure("listen: {tls: {cert_file: " + moved + "/tls.crt, key_file: " + moved + "/tls.key}}\n")
	if out, status := p.tryCommand("config", "reload"); status != exitOK || strings.Contains(out, "restarted:\n  listen") {
		t.Errorf("with other paths the reload ends with %d and says %s", status, out)
	}
	if shown, err := p.over(third.cert, nil); err != nil || !bytes.Equal(shown, third.cert) {
		t.Errorf("after other paths, and with no certificates of clients: %v", err)
	}
	p.configure("")
	if out, status := p.tryCommand("config", "reload"); status != exitOK || !strings.Contains(out, "restarted:\n  listen.tls.cert_file: ") {
		t.Errorf("without TLS the reload ends with %d and says %s", status, out)
	}
}

func TestAChangedCertificateIsUsedWithoutAReload(t *testing.T) {
	first, second := goodPair(t), goodPair(t)
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write := func(name string, content []byte) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("crt", first.cert)
		write("key", first.key)
		// Its clock is the machine's, by which the certificates were made.
		now := time.Unix(0, 0)
		if pair, err := tls.X509KeyPair(first.cert, first.key); err == nil {
			now = pair.Leaf.NotBefore.Add(time.Hour)
		}
		in := config.Input{ReadFile: os.ReadFile, Now: func() time.Time { return now }}
		loaded, err := in.ReadTLS(config.TLS{CertFile: filepath.Join(dir, "crt"), KeyFile: filepath.Join(dir, "key")})
		if err != nil {
			t.Fatal(err)
		}
		c := newCertificates(in, loaded, zap.NewNop())
		d := &daemon{origin: origin{log: zap.NewNop(), doors: &doors{}}, certificates: c, clients: api.NewConnections(1, zap.NewNop())}
		parts := d.answer(&front{}) // as a standby does
		serves := func(pair keyPair) bool {
			<-time.After(certificatesEvery + time.Second)
			synctest.Wait()
			shown := c.serving.Load().Certificates[0].Certificate[0]
			return bytes.Equal(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shown}), pair.cert)
		}
		write("crt", second.cert) // the key comes later
		if !serves(first) || len(c.problems()) != 1 {
			t.Errorf("between the two files, the problems are %v", c.problems())
		}
		write("key", second.key)
		if !serves(second) || len(c.problems()) != 0 {
			t.Errorf("with both files, the problems are %v", c.problems())
		}
		if err := parts.stop(); err != nil {
			t.Error(err)
		}
	})
}
