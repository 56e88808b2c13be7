package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The options of an encrypted TCP listener.
const (
	keyTLS          = "listen.tls"
	keyCertFile     = keyTLS + ".cert_file"
	keyKeyFile      = keyTLS + ".key_file"
	keyClientCAFile = keyTLS + ".client_ca_file"
)

// TLS is what encrypts the TCP listener.
type TLS struct {
	// CertFile and KeyFile are paths of PEM files; empty without TLS.
	CertFile, KeyFile string
	// ClientCAFile is the path of the certificates by which clients must be known; empty if
	// they need none.
	ClientCAFile string
	// Certificate and ClientCAs are what is in the files; nil if there is none.
	Certificate *tls.Certificate
	ClientCAs   *x509.CertPool
}

func tlsOptions() []option[Config] {
	return []option[Config]{
		opt(spec{key: keyCertFile, restartIfNew: true}, parsePath, func(c *Config, v string) { c.Listen.TLS.CertFile = v }),
		opt(spec{key: keyKeyFile}, parsePath, func(c *Config, v string) { c.Listen.TLS.KeyFile = v }),
		opt(spec{key: keyClientCAFile}, parsePath, func(c *Config, v string) { c.Listen.TLS.ClientCAFile = v }),
	}
}

// tlsError is a mistake in a file of one of the options.
type tlsError struct{ key, path, message, fix string }

func (e *tlsError) Error() string {
	return fmt.Sprintf("%s: %s %s; %s", e.key, printable(e.path), e.message, e.fix)
}

// ReadTLS returns t with what its files have now. The error names the option, the file and
// what to do.
func (in Input) ReadTLS(t TLS) (TLS, error) {
	read, wrong := in.readTLS(t)
	if wrong != nil { // a nil *tlsError would be an error
		return TLS{}, wrong
	}
	return read, nil
}

func (in Input) readTLS(t TLS) (TLS, *tlsError) {
	content := map[string][]byte{}
	for key, path := range map[string]string{keyCertFile: t.CertFile, keyKeyFile: t.KeyFile, keyClientCAFile: t.ClientCAFile} {
		if path == "" {
			continue
		}
		text, err := in.ReadFile(path)
		if err != nil {
			return t, &tlsError{key, path, "cannot be read: " + reason(err), "make it readable for the user Tocsin runs as"}
		}
		content[key] = text
	}
	pair, err := tls.X509KeyPair(content[keyCertFile], content[keyKeyFile])
	if err != nil {
		return t, &tlsError{keyCertFile, t.CertFile, "can't be used with " + keyKeyFile + ": " + strings.TrimPrefix(err.Error(), "tls: "),
			"write the PEM files of one certificate, with those between it and its authority after it, and of its key"}
	}
	switch leaf := pair.Leaf; {
	case in.now().After(leaf.NotAfter):
		return t, &tlsError{keyCertFile, t.CertFile, "has expired on " + leaf.NotAfter.UTC().Format(time.DateTime) + " UTC", "renew the certificate"}
	case in.now().Before(leaf.NotBefore):
		return t, &tlsError{keyCertFile, t.CertFile, "is not valid before " + leaf.NotBefore.UTC().Format(time.DateTime) + " UTC", "check the clock of this machine, or use another certificate"}
	}
	t.Certificate, t.ClientCAs = &pair, nil
	if t.ClientCAFile != "" {
		t.ClientCAs = x509.NewCertPool()
		if !t.ClientCAs.AppendCertsFromPEM(content[keyClientCAFile]) {
			return t, &tlsError{keyClientCAFile, t.ClientCAFile, "has no certificate", "write the PEM file of the authority that signs the clients' certificates"}
		}
	}
	return t, nil
}

// The variables that say what Go trusts in place of the system's certificates, and how long
// those may take to read: Go itself would wait for a pipe for ever.
const (
	certFile         = "SSL_CERT_FILE"
	certDir          = "SSL_CERT_DIR"
	authoritiesLimit = 5 * time.Second
)

// systemAuthorities are those that the system trusts; nil if they can't be read in time.
func systemAuthorities() *x509.CertPool {
	read := make(chan *x509.CertPool, 1)
	go func() {
		all, err := x509.SystemCertPool()
		if err != nil {
			all = x509.NewCertPool()
		}
		read <- all
	}()
	select {
	case all := <-read:
		return all
	case <-time.After(authoritiesLimit):
		return nil
	}
}

// checkProxy refuses the address of a proxy that Go would ignore or take for another. What is wrong with it is not
// said, as that may be a password.
func (l *loader) checkProxy() {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} { // in the order in which Go reads them
		address := l.in.Getenv(name)
		if address == "" {
			continue
		}
		if !strings.Contains(address, "://") {
			address = "http://" + address
		}
		if proxy, err := url.Parse(address); err != nil || proxy.Host == "" {
			l.fail(Problem{Where: name, Message: "is not the address of a proxy, so Slack would not be called through it",
				Fix: "write for example http://proxy.example:3128, with %-escapes in a password, or remove it"})
		}
		return
	}
}

// checkAuthorities reads the certificates that Slack's addresses may have in addition to those that
// the system trusts.
func (l *loader) checkAuthorities() {
	path := l.config.Slack.CAFile
	if path == "" && l.in.Getenv(certFile) == "" && l.in.Getenv(certDir) == "" {
		return
	}
	all := systemAuthorities()
	if all == nil {
		l.fail(Problem{Where: certFile, Message: fmt.Sprintf("the authorities that the system trusts cannot be read within %s", authoritiesLimit),
			Fix: "have " + certFile + " name a file and " + certDir + " a folder of files, with no pipe or device, on a file system that answers"})
	}
	if path == "" || all == nil {
		return
	}
	at := l.values[keyCAFile].origin
	text, err := l.in.ReadFile(path)
	if err != nil {
		l.fail(at.problem(keyCAFile+" "+printable(path)+" cannot be read: "+reason(err), "make it readable for the user Tocsin runs as"))
		return
	}
	if !all.AppendCertsFromPEM(text) {
		l.fail(at.problem(keyCAFile+" "+printable(path)+" has no certificate", "write the PEM file of the authority that signs what the proxy shows in place of Slack's certificate"))
		return
	}
	l.config.Slack.Authorities = all
}

// checkTLS reads the files of an encrypted listener.
func (l *loader) checkTLS() {
	t := l.config.Listen.TLS
	lacks := func(key, has string) {
		l.fail(l.values[has].origin.problem(has+" needs "+key, "write "+key[strings.LastIndexByte(key, '.')+1:]+": /etc/tocsin/… beside it, below "+keyTLS))
	}
	switch {
	case t == (TLS{}):
	case t.CertFile == "" && t.KeyFile == "":
		lacks(keyCertFile, keyClientCAFile)
	case t.CertFile == "":
		lacks(keyCertFile, keyKeyFile)
	case t.KeyFile == "":
		lacks(keyKeyFile, keyCertFile)
	default:
		read, wrong := l.in.readTLS(t)
		if wrong != nil {
			l.fail(l.values[wrong.key].origin.problem(fmt.Sprintf("%s %s %s", wrong.key, printable(wrong.path), wrong.message), wrong.fix))
			return
		}
		l.config.Listen.TLS = read
	}
}
