package main

import (
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/playground"
)

// encryptedSlack is a playground behind a certificate that no system trusts, and a daemon for
// it with the certificate as tls.crt in its folder.
func encryptedSlack(t *testing.T) (*playground.Server, *process) {
	t.Helper()
	pair := goodPair(t)
	own, err := tls.X509KeyPair(pair.cert, pair.key)
	if err != nil {
		t.Fatal(err)
	}
	s := slack(t, playground.Options{Certificate: &own})
	p := prepare(t, s, nil)
	pair.write(t, p.dir)
	return s, p
}

func TestSlackBehindACertificateOfAnotherAuthorityIsReachedByItsFile(t *testing.T) {
	t.Parallel()
	for name, trust := range map[string]func(p *process, file string){
		"slack.ca_file": func(p *process, file string) { p.configure("slack: {ca_file: " + file + "}\n") },
		"SSL_CERT_FILE": func(p *process, file string) { p.env["SSL_CERT_FILE"] = file },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := encryptedSlack(t)
			trust(p, filepath.Join(p.dir, "tls.crt"))
			said, _ := p.tocsin("doctor")
			if strings.Contains(said, "x509") || !strings.Contains(said, "Tocsin Playground") {
				t.Errorf("doctor says\n%s", said)
			}
			p.start()
			p.settle(p.mustPush(firing("a", "over TLS"))...)
			until(t, s, "both connections", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) >= 2 })
			types(t, s, "ann", "help")
			privately(t, s, "ann", "/notify")
		})
	}
}

func TestACertificateThatNobodyTrustsIsReportedWithTheOptionForIt(t *testing.T) {
	t.Parallel()
	_, p := encryptedSlack(t)
	if said, err := p.tocsin("doctor"); err == nil || !strings.Contains(said, "unknown authority") || !strings.Contains(said, "slack.ca_file") {
		t.Errorf("doctor ends with %v and says\n%s", err, said)
	}
	p.start()
	p.eventually("the status to say it", func() bool {
		said, _ := p.tryCommand("status")
		return strings.Contains(said, "unknown authority") && strings.Contains(said, "slack.ca_file")
	})
}

func TestAFileOfAuthoritiesThatCantBeUsedIsAMistakeOfTheConfiguration(t *testing.T) {
	t.Parallel()
	_, p := encryptedSlack(t)
	for file, says := range map[string]string{"none.pem": "no such file", "tls.key": "has no certificate", "": "cannot be read", "tls.crt": ""} {
		p.configure("slack:\n  ca_file: " + filepath.Join(p.dir, file) + "\n")
		said, err := p.tocsin("config", "check")
		if wrong := err != nil; wrong != (says != "") || !strings.Contains(said, says) || wrong && !strings.Contains(said, "tocsin.yaml:2:") {
			t.Errorf("%q: it ends with %v and says %s", file, err, said)
		}
	}
}
