package config_test

import (
	"reflect"
	"testing"

	"tocsin/config"
)

func TestAWebhookIsReadWithItsExpressionsInTheirOrder(t *testing.T) {
	c := load(t, environment{files: map[string]string{"/etc/tocsin/netbox": "s3cret\n", etc: `
ingest:
  webhooks:
    - name: netbox
      severity: body.level
      title: '"disk " + body.name'
      text: >-
        body.a ??
        body.b
      key: 7
      each: body.items
      labels: {host: body.host}
      secret_file: /etc/tocsin/netbox
      signature: {header: X-Sum, hash: sha1, prefix: sha1=}
    - {name: other, text: body, labels: body.labels}
`}})
	want := []config.Webhook{
		{Name: "netbox", Secret: "s3cret", Signature: config.Signature{Header: "X-Sum", Prefix: "sha1=", Hash: "sha1", Encoding: "hex"}, Expressions: []config.Expression{
			{Field: "each", Source: "body.items"}, {Field: "title", Source: `"disk " + body.name`}, {Field: "text", Source: "body.a ?? body.b"},
			{Field: "severity", Source: "body.level"}, {Field: "key", Source: "7"}, {Field: "labels", Name: "host", Source: "body.host"},
		}},
		{Name: "other", Signature: config.Signature{Hash: "sha256", Encoding: "hex"}, Expressions: []config.Expression{{Field: "text", Source: "body"}, {Field: "labels", Source: "body.labels"}}},
	}
	if !reflect.DeepEqual(c.Ingest.Webhooks, want) {
		t.Errorf("read\n%+v, want\n%+v", c.Ingest.Webhooks, want)
	}
}
