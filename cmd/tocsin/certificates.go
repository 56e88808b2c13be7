package main

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/config"
)

// certificatesEvery is how often it is looked whether the files of the certificate have
// changed.
const certificatesEvery = 30 * time.Second

// certificates are what encrypts the TCP listener, as its files had it when they were good
// last.
type certificates struct {
	in  config.Input
	log *zap.Logger

	files   atomic.Pointer[config.TLS]
	serving atomic.Pointer[tls.Config]
	problem atomic.Pointer[alert.Problem]
}

func newCertificates(in config.Input, files config.TLS, log *zap.Logger) *certificates {
	c := &certificates{in: in, log: log}
	c.use(files)
	return c
}

// use serves new connections with the certificate of files.
func (c *certificates) use(files config.TLS) {
	serving := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*files.Certificate}, NextProtos: []string{"http/1.1"}}
	if files.ClientCAs != nil {
		serving.ClientCAs, serving.ClientAuth = files.ClientCAs, tls.RequireAndVerifyClientCert
	}
	c.files.Store(&files)
	c.serving.Store(serving)
	c.problem.Store(nil)
}

// run reads the files again and again until ctx ends.
func (c *certificates) run(ctx context.Context) error {
	for pause(ctx, certificatesEvery) {
		c.read()
	}
	return nil
}

// read reads the files. While they can't be used, those that were read before are.
func (c *certificates) read() {
	before, known := c.files.Load(), c.problem.Load()
	now, err := c.in.ReadTLS(*before)
	if err != nil {
		what := "the certificate that was read before is used: " + err.Error()
		if known == nil || known.What != what {
			c.log.Error("certificate not read", zap.Error(err))
			c.problem.Store(&alert.Problem{Code: alert.ProblemConfig, Since: time.Now(), What: what, Fix: "it is read again every " + certificatesEvery.String()})
		}
		return
	}
	same := slices.EqualFunc(before.Certificate.Certificate, now.Certificate.Certificate, slices.Equal) &&
		(before.ClientCAs == now.ClientCAs || before.ClientCAs != nil && before.ClientCAs.Equal(now.ClientCAs))
	if !same || known != nil {
		c.use(now)
		c.log.Info("certificate read", zap.Time("expires", now.Certificate.Leaf.NotAfter))
	}
}

func (c *certificates) problems() []alert.Problem {
	if c == nil {
		return nil
	}
	if p := c.problem.Load(); p != nil {
		return []alert.Problem{*p}
	}
	return nil
}

// encrypted is l with TLS, if that is configured.
func (d *daemon) encrypted(l net.Listener) net.Listener {
	if l == nil || d.certificates == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return d.certificates.serving.Load(), nil
	}})
}
