package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

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

// The test's expressions have a mistake where they have !!.
func TestAMistakeInAnExpressionHasItsPlaceInTheFile(t *testing.T) {
	for name, value := range map[string]string{
		"plain":                        "body.a + !!",
		"plain over lines":             "body.a +\n        !!",
		"quoted":                       "'it + ''x'' + !!'",
		"quoted over lines":            "'body.a +\n\n        !!'",
		"double quotes":                `"body.a + \"x\" + \t\u00e4 + \x41 + !!"`,
		"double quotes over lines":     "\"body.a +\n        !!\"",
		"double quotes with a break":   "\"body.a +\\\n        \\  !!\"",
		"a line break in them":         `"body.a +\n !!"`,
		"folded":                       ">-\n        body.a\n        + !!",
		"folded with deeper lines":     ">-\n        body.a\n          + 1\n        + !!",
		"folded, in a deeper line":     ">-\n        body.a\n          ? 1\n          : !!",
		"folded with blank lines":      ">-\n\n        body.a +\n\n        !!",
		"literal":                      "|\n        // a comment\n        body.a + !!",
		"literal, in a deeper line":    "|\n        body.a\n          + !!",
		"literal with an indentation":  "|2-\n          body.a + !!",
		"literal, beyond ASCII":        "|\n        \"äöü\" + !!",
		"in a list of one line":        "body.a + !!\n      labels: {a: body.x, b: body.y}",
		"with a carriage return":       ">-\r\n        body.a\r\n        + !!\r",
		"quoted with a comment behind": "'body.a + !!' # it's a comment",
	} {
		text := "ingest:\n  webhooks:\n    - name: mine\n      title: " + value + "\n"
		before, _, _ := strings.Cut(text, "!!")
		line := before[strings.LastIndexByte(before, '\n')+1:]
		want := fmt.Sprintf("%s:%d:%d", etc, strings.Count(before, "\n")+1, utf8.RuneCountInString(line)+1)
		all := problems(t, environment{files: map[string]string{etc: text}})
		if len(all) != 1 || all[0].Where != want {
			t.Errorf("%s: the mistakes are %+v, want one at %s", name, all, want)
		}
	}
}
