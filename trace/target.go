package trace

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// target is where spans are sent, and how.
type target struct {
	endpoint string // empty for nowhere
	header   http.Header
	timeout  time.Duration // of one request
	gzip     bool
	tls      *tls.Config // nil for the system's authorities and no certificate
}

// place is the endpoint without a password, for people.
func (t target) place() string {
	address, err := url.Parse(t.endpoint)
	if err != nil {
		return "a collector"
	}
	return address.Redacted()
}

const defaultTimeout = 10 * time.Second

// readTarget reads OpenTelemetry's variables
// (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
func readTarget(getenv func(string) string, readFile func(string) ([]byte, error)) (t target, err error) {
	one := func(name string) string {
		return strings.TrimSpace(cmp.Or(getenv("OTEL_EXPORTER_OTLP_TRACES_"+name), getenv("OTEL_EXPORTER_OTLP_"+name)))
	}
	exporter := getenv("OTEL_TRACES_EXPORTER")
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || exporter == "none" {
		return t, nil
	}
	if t.endpoint, err = readEndpoint(getenv); err != nil || t.endpoint == "" {
		return t, err
	}
	if exporter != "" && exporter != "otlp" {
		return target{}, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: only otlp and none are known", exporter)
	}
	if protocol := one("PROTOCOL"); protocol == "grpc" {
		return target{}, fmt.Errorf("the protocol of OTLP is %q: set OTEL_EXPORTER_OTLP_PROTOCOL to http/json, and the endpoint to the collector's for HTTP (port 4318)", protocol)
	}
	t.timeout, t.gzip = defaultTimeout, one("COMPRESSION") == "gzip"
	if text := one("TIMEOUT"); text != "" {
		millis, err := strconv.Atoi(text)
		if err != nil || millis <= 0 {
			return target{}, fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT is %q: write milliseconds", text)
		}
		t.timeout = time.Duration(millis) * time.Millisecond
	}
	if t.tls, err = readTLS(one, readFile); err != nil {
		return target{}, err
	}
	t.header, err = readHeaders(one("HEADERS"))
	return t, err
}

// readTLS reads the files of the authorities that are trusted in addition to the system's, and of the
// certificate that the collector wants to see.
func readTLS(one func(name string) string, readFile func(string) ([]byte, error)) (*tls.Config, error) {
	authorities, certificate, key := one("CERTIFICATE"), one("CLIENT_CERTIFICATE"), one("CLIENT_KEY")
	if authorities == "" && certificate == "" && key == "" {
		return nil, nil
	}
	use := &tls.Config{MinVersion: tls.VersionTLS12}
	if authorities != "" {
		text, err := readFile(authorities)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		if use.RootCAs, err = x509.SystemCertPool(); err != nil {
			use.RootCAs = x509.NewCertPool()
		}
		if !use.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %s has no certificate: name the PEM file of the authority that signs the collector's", authorities)
		}
	}
	if certificate != "" || key != "" {
		cert, err := readFile(certificate)
		secret, failed := readFile(key)
		var pair tls.Certificate
		if err = errors.Join(err, failed); err == nil {
			pair, err = tls.X509KeyPair(cert, secret)
		}
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY: %w", err)
		}
		use.Certificates = []tls.Certificate{pair}
	}
	return use, nil
}

// readEndpoint returns the address for traces: as it is given, or that of the collector with
// the path that the specification adds.
func readEndpoint(getenv func(string) string) (string, error) {
	name := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	text := strings.TrimSpace(getenv(name))
	if text == "" {
		name = "OTEL_EXPORTER_OTLP_ENDPOINT"
		if text = strings.TrimSpace(getenv(name)); text == "" {
			return "", nil
		}
		text = strings.TrimRight(text, "/") + "/v1/traces"
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%s is not a web address: write one such as http://127.0.0.1:4318", name)
	}
	return text, nil
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// readHeaders reads name=value,name=value, percent-encoded. They may be secrets, so that the
// error does not repeat them.
func readHeaders(text string) (http.Header, error) {
	header := http.Header{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || !headerName.MatchString(name) || strings.ContainsFunc(value, unicode.IsControl) {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS can't be read: write name=value,name=value, and other characters as %20")
		}
		header.Set(name, value)
	}
	return header, nil
}
