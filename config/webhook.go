package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tocsin/alert"
)

// Webhook is one that the configuration describes by expressions.
type Webhook struct {
	Name        string
	Expressions []Expression
	// Secret is what requests are signed with; empty if they are not.
	Secret    alert.Secret
	Signature Signature
}

// Expression is how a field of an alert is made from a request.
type Expression struct {
	// Field is the field, or each or drop, and Name that of one label.
	Field, Name string
	Source      string
}

// Signature is where a request's signature is and how it is made.
type Signature struct{ Header, Prefix, Hash, Encoding string }

// Expressions is what is known of expressions where they are used.
type Expressions struct {
	// Check returns what is wrong with an expression for its field, and at which line and
	// column of it, from 1; nil or an empty message for nothing.
	Check func(Expression) (line, column int, message string)
	// Taken are the names that other webhooks have.
	Taken []string
}

// keyWebhooks are the webhooks by expressions.
const keyWebhooks = "ingest.webhooks"

const (
	keyWebhookSecret    = keyWebhooks + ".secret"
	keySignature        = keyWebhooks + ".signature"
	keySignatureHeader  = keySignature + ".header"
	keyWebhookLabels    = keyWebhooks + ".labels"
	defaultHash         = "sha256"
	defaultHashEncoding = "hex"
)

// expressionFields are the options that are expressions, in the order in which they are
// evaluated.
func expressionFields() []string {
	return []string{
		"each", "drop", "title", "text", "format", "severity", "status", "key", "channel", "mention",
		"labels", "links", "images", "at", "expires_in", "idempotency_key",
	}
}

func webhookOptions() []option[Webhook] {
	all := []option[Webhook]{
		opt(spec{key: keyWebhooks + ".name"}, parseWebhookName, func(w *Webhook, v string) { w.Name = v }),
		opt(spec{key: keyWebhookSecret, fileKey: keyWebhookSecret + "_file", secret: true}, parseSecret, func(w *Webhook, v string) { w.Secret = alert.Secret(v) }),
		opt(spec{key: keyWebhookSecret + "_file"}, parsePath, func(*Webhook, string) {}),
		opt(spec{key: keySignatureHeader}, parseHeader, func(w *Webhook, v string) { w.Signature.Header = v }),
		opt(spec{key: keySignature + ".prefix"}, anything, func(w *Webhook, v string) { w.Signature.Prefix = v }),
		opt(spec{key: keySignature + ".hash"}, oneOf("sha256", "sha1", "sha512", "none"), func(w *Webhook, v string) { w.Signature.Hash = v }),
		opt(spec{key: keySignature + ".encoding"}, oneOf("hex", "base64"), func(w *Webhook, v string) { w.Signature.Encoding = v }),
	}
	for _, field := range expressionFields() {
		key := keyWebhooks + "." + field
		all = append(all, opt(spec{key: key, bare: true, named: key == keyWebhookLabels}, anything, func(*Webhook, string) {}))
	}
	return all
}

var webhookName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,49}$`)

func parseWebhookName(value string) (string, *flaw) {
	if name := strings.TrimSpace(value); webhookName.MatchString(name) {
		return name, nil
	}
	return "", &flaw{message: printable(value) + " is not a name for a path", advice: "write up to 50 lower-case letters, digits, -, _ and ., as in netbox"}
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`)

func parseHeader(value string) (string, *flaw) {
	if headerName.MatchString(value) {
		return value, nil
	}
	return "", &flaw{message: printable(value) + " is not the name of a header", write: []string{"X-Hub-Signature-256"}}
}

// readWebhooks reads ingest.webhooks.
func (l *loader) readWebhooks() {
	var names []string
	for _, s := range l.doc.groups[keyWebhooks] {
		w := l.readWebhook(s)
		switch {
		case w.Name == "":
			continue
		case slices.Contains(names, w.Name):
			l.fail(s.at.problem(fmt.Sprintf("%s.name %s is used twice", keyWebhooks, printable(w.Name)), "give each webhook a name of its own"))
		case slices.Contains(l.in.Expressions.Taken, w.Name):
			l.fail(s.at.problem(fmt.Sprintf("%s.name %s is that of a webhook that Tocsin has", keyWebhooks, printable(w.Name)), "write another name, as in name: my-"+w.Name))
		}
		names = append(names, w.Name)
		l.config.Ingest.Webhooks = append(l.config.Ingest.Webhooks, w)
	}
	if len(names) > 0 {
		l.doc.values[keyWebhooks] = given{value: strings.Join(names, listed), origin: l.doc.mentioned[keyWebhooks]}
	}
}

func (l *loader) readWebhook(s section) Webhook {
	w := Webhook{Signature: Signature{Hash: defaultHash, Encoding: defaultHashEncoding}}
	l.readWebhookSecret(s)
	applyAll(l, webhookOptions(), s, &w)
	l.need(s, keyWebhooks+".name", "it is the end of the path, /v1/webhooks/NAME", "name: netbox")
	if !s.mentions(keyWebhooks+".title") && !s.mentions(keyWebhooks+".text") {
		l.fail(s.at.problem(keyWebhooks+" has neither title nor text: the alerts would say nothing", "write title: body.title, or what the body has"))
	}
	for _, field := range expressionFields() {
		w.Expressions = append(w.Expressions, l.expressions(field, s.values[keyWebhooks+"."+field])...)
	}
	return w
}

// readWebhookSecret reads the file of a secret, and checks that there is a header where
// there is a secret, and the other way round.
func (l *loader) readWebhookSecret(s section) {
	named, ok := s.values[keyWebhookSecret+"_file"]
	if _, twice := s.values[keyWebhookSecret]; ok && twice {
		l.fail(named.origin.problem(keyWebhookSecret+" is given twice: here and as "+keyWebhookSecret+"_file", "keep one of them, better the file"))
	} else if ok && strings.HasPrefix(named.value, "/") {
		g := l.readSecret(named.value, Origin{kind: fromFile, place: named.value})
		if g.unreadable != "" {
			l.fail(named.origin.problem(fmt.Sprintf("%s cannot be read from %s: %s", keyWebhookSecret, printable(named.value), g.unreadable),
				"make it readable for the user Tocsin runs as, with the secret as its only line"))
		} else {
			s.values[keyWebhookSecret] = g
		}
	}
	secret := s.mentions(keyWebhookSecret) || s.mentions(keyWebhookSecret+"_file")
	switch {
	case secret && !s.mentions(keySignatureHeader):
		l.fail(s.at.problem(keySignatureHeader+" is missing: it says where the tool puts the signature", "write signature: {header: X-Hub-Signature-256, prefix: sha256=}"))
	case !secret && s.mentions(keySignature):
		l.fail(s.mentioned[keySignature].problem(keyWebhookSecret+" is missing: nothing is checked without it", "write secret_file: /etc/tocsin/netbox_secret"))
	}
}

// expressions returns what was given for a field, and reports what is wrong with it.
func (l *loader) expressions(field string, g given) []Expression {
	if g.items == nil && g.value == "" {
		return nil
	}
	if g.items == nil {
		return []Expression{l.expression(field, g)}
	}
	var all []Expression
	for _, item := range g.items {
		all = append(all, l.expression(field, item))
	}
	return all
}

func (l *loader) expression(field string, g given) Expression {
	e := Expression{Field: field, Name: g.name, Source: g.value}
	l.checkExpression(e, g)
	return e
}

func (l *loader) checkExpression(e Expression, g given) {
	if l.in.Expressions.Check == nil {
		return
	}
	line, column, message := l.in.Expressions.Check(e)
	if message == "" {
		return
	}
	key := keyWebhooks + "." + e.Field
	if e.Name != "" {
		key += "." + e.Name
	}
	l.fail(l.placeIn(g, line, column).problem(
		fmt.Sprintf("%s has a mistake: %s (at %d:%d of the expression)", key, printableTokens(message), line, column), l.expressionFix(g)))
}

// expressionFix knows what YAML did to an expression.
func (l *loader) expressionFix(g given) string {
	line := l.doc.line(g.origin.line)
	written := strings.TrimSpace(string([]rune(line)[min(g.origin.column-1, len([]rune(line))):]))
	switch {
	case strings.Contains(written, " #") && !strings.Contains(g.value, "#"):
		return "a # after a blank begins a comment in YAML: put the expression in quotes, or below after >-"
	case strings.HasPrefix(written, `"`):
		return `YAML takes the quotes away: write '"text"' for a text, and the expression itself without quotes`
	}
	return "docs/webhooks.md shows what expressions can do; tocsin config webhook NAME < body.json tries them"
}
