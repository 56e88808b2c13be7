package ingest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what the tool signs with is not ours to choose
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"strings"
	"time"
	"unicode"

	"github.com/expr-lang/expr/vm"

	"tocsin/alert"
)

// Expression is how a field of an alert is made from a request.
type Expression struct {
	// Field is the field, or each or drop.
	Field string
	// Name is that of a label whose value this is; empty where the value has all labels.
	Name string
	// Source is what the configuration says.
	Source string
}

// Custom is a webhook that the configuration describes by expressions.
type Custom struct {
	name     string
	each     *compiled
	fields   []compiled
	onFailed func()
}

type compiled struct {
	Expression
	program *vm.Program
}

// Value is what an expression made of a request.
type Value struct {
	// Item is the number of the element of each, from 1; 0 for each itself.
	Item       int    `json:"item"`
	Field      string `json:"field"`
	Expression string `json:"expression"`
	// Value is the value as text, and Error why there is none.
	Value string `json:"value"`
	Error string `json:"error,omitempty"`
}

// NewCustom compiles the expressions of a webhook. onFailed is called for each that fails
// on a request.
func NewCustom(name string, expressions []Expression, onFailed func()) (*Custom, error) {
	c := &Custom{name: name, onFailed: onFailed}
	for _, e := range expressions {
		program, err := compile(e.Source)
		if err != nil {
			return nil, fmt.Errorf("compile %s of the webhook %s: %w", e.Field, name, err)
		}
		if e.Field == "each" {
			c.each = &compiled{e, program}
			continue
		}
		c.fields = append(c.fields, compiled{e, program})
	}
	return c, nil
}

// Format is the webhook as one of those in Formats.
func (c *Custom) Format() Format {
	return Format{Name: c.name, Tool: c.name, Path: webhooks + c.name, Read: func(r Request) (alert.Intake, error) {
		in, _, err := c.read(r, false)
		return in, err
	}}
}

// Explain returns what a request asks for, and what each expression made of it. An
// expression that fails costs its field alone, and what it was made from is in the text.
func (c *Custom) Explain(r Request) (alert.Intake, []Value, error) { return c.read(r, true) }

func (c *Custom) read(r Request, explain bool) (alert.Intake, []Value, error) {
	body, err := bodyOf(r)
	if err != nil {
		return alert.Intake{}, nil, err
	}
	e := evaluation{custom: c, explain: explain, meter: meter{until: time.Now().Add(longest)}}
	e.env = map[string]any{nameBody: body, nameHeaders: headersOf(r.Header), nameItem: body, nameMeter: &e.meter}
	items, err := e.items(body)
	if err != nil {
		return alert.Intake{}, e.values, err
	}
	for n, item := range items {
		e.item(n, item)
	}
	e.in.Notes = e.notes.All()
	switch {
	case e.unclear > 0 && len(bytes.TrimSpace(r.Body)) == 0:
		return alert.Intake{}, e.values, errors.New("the body is empty")
	case e.unclear > 0 && e.unclear == len(e.in.Alerts) && Recognize(r) != "":
		return alert.Intake{}, e.values, errors.New("title and text are empty")
	case len(e.in.Alerts) == 0 && len(e.in.Notes) == 0:
		e.in.Notes = []string{"each is an empty list: nothing was done"}
	}
	return e.in, e.values, nil
}

// evaluation is that of one request.
type evaluation struct {
	custom  *Custom
	machine vm.VM
	// explain has the values kept.
	explain bool
	meter   meter
	env     map[string]any
	in      alert.Intake
	notes   alert.Notes
	values  []Value
	// unclear counts the alerts of which nothing is known.
	unclear int
}

// mostItems is how many alerts one request may have.
const mostItems = 10_000

// items returns the values that an alert is made of each.
func (e *evaluation) items(body any) ([]any, error) {
	if e.custom.each == nil {
		return []any{body}, nil
	}
	value, err := run(&e.machine, e.custom.each.program, e.env, &e.meter)
	list, isList := listFrom(value)
	_, isObject := value.(map[string]any)
	switch {
	case err != nil:
	case isObject:
		return []any{value}, nil
	case !isList:
		err = fmt.Errorf("it is %s, not a list", kindName(value))
	case len(list) > mostItems:
		err = fmt.Errorf("it is a list of %d, more than %d", len(list), mostItems)
	default:
		e.note(0, *e.custom.each, fmt.Sprintf("a list of %d", len(list)), nil)
		return list, nil
	}
	e.custom.onFailed()
	e.note(0, *e.custom.each, "", err)
	return nil, fmt.Errorf("each: %w", err)
}

// note keeps what an expression made of the request, if that is to be explained.
func (e *evaluation) note(item int, c compiled, value any, err error) {
	if !e.explain {
		return
	}
	v := Value{Item: item, Field: c.field(), Expression: c.Source}
	v.Value, _ = textFrom(value) // what is too long has an error already
	if err != nil {
		v.Error = err.Error()
	}
	e.values = append(e.values, v)
}

// field is the name of the option.
func (e Expression) field() string {
	if e.Name == "" {
		return e.Field
	}
	return e.Field + "." + e.Name
}

// item makes an alert of an element of each, unless it is dropped.
func (e *evaluation) item(n int, item any) {
	e.env[nameItem] = item
	a := alert.Alert{Source: e.custom.name}
	var failed failures
	for _, c := range e.custom.fields {
		value, err := run(&e.machine, c.program, e.env, &e.meter)
		drop := false
		if err == nil && c.Field == "drop" {
			drop, err = truth(value)
		} else if err == nil {
			var notes []string
			notes, err = set(&a, c.Expression, value)
			e.say(n, notes...)
		}
		e.note(n+1, c, value, err)
		if err != nil {
			e.custom.onFailed()
			failed.add(c.field(), err)
		}
		if drop {
			e.notes.Add("item %d is dropped, as drop says", n+1)
			return
		}
	}
	e.finish(&a, n, item, failed)
	e.in.Alerts = append(e.in.Alerts, a)
}

// say notes something about an item.
func (e *evaluation) say(n int, notes ...string) {
	for _, note := range notes {
		e.notes.Add("item %d: %s", n+1, note)
	}
}

// failures are why fields are left out: each reason once, with its fields.
type failures struct {
	reasons []string
	fields  map[string][]string
}

func (f *failures) add(field string, err error) {
	why := err.Error()
	if f.fields == nil {
		f.fields = map[string][]string{}
	}
	if f.fields[why] == nil {
		f.reasons = append(f.reasons, why)
	}
	f.fields[why] = append(f.fields[why], field)
}

// sentences are the failures for people.
func (f *failures) sentences() (all []string) {
	for _, why := range f.reasons {
		are := " is left out: "
		if len(f.fields[why]) > 1 {
			are = " are left out: "
		}
		all = append(all, strings.Join(f.fields[why], ", ")+are+why)
	}
	return all
}

// finish completes an alert that is as the expressions made it.
func (e *evaluation) finish(a *alert.Alert, n int, item any, failures failures) {
	failed := failures.sentences()
	a.OnlyIfOpen = a.Resolves()
	if a.IdempotencyKey != "" {
		a.IdempotencyKey = e.custom.name + "/" + a.IdempotencyKey
		if n > 0 {
			a.IdempotencyKey = fmt.Sprintf("%s/%d", a.IdempotencyKey, n+1)
		}
	}
	nothing := saysNothing(*a)
	if !nothing && a.Resolves() && strings.TrimSpace(a.Key) == "" {
		e.say(n, "it is resolved and has no key: it resolves only what has the same title and labels, and no key either")
	}
	if len(failed) == 0 && !nothing {
		return
	}
	raw, err := textFrom(item)
	if err != nil {
		raw = err.Error()
	}
	if nothing {
		failed = append(failed, e.nothingSaid(a, raw))
	}
	a.Text = paragraphs(a.Text, strings.Join(failed, "\n"), alert.Preformatted(raw))
	e.say(n, failed...)
}

// nothingSaid makes an alert of one that would be refused, and returns what it lacks. One
// that resolves nothing has to be shown like any other. raw is what it was made from.
func (e *evaluation) nothingSaid(a *alert.Alert, raw string) (lacks string) {
	lacks = "title and text are empty"
	if a.Resolves() {
		lacks = "it is resolved, but title, text and key are empty"
	}
	a.Title = "A webhook of " + e.custom.name + " was not understood"
	a.Status, a.Severity, a.OnlyIfOpen = alert.Firing, alert.Warning, false
	if strings.TrimSpace(a.Key) == "" {
		h := fnv.New64a()           // each thing that is not understood is an incident of its own
		_, _ = h.Write([]byte(raw)) // a hash never fails
		a.Key = fmt.Sprintf("%s/%016x", e.custom.name, h.Sum64())
	}
	e.unclear++
	return lacks
}

// saysNothing reports whether an alert has neither title nor text, or would be refused. One that
// resolves needs only a key.
func saysNothing(a alert.Alert) bool {
	if plain(a.Title) || plain(a.Text) {
		return false
	}
	return !a.Resolves() && strings.TrimSpace(a.Title+a.Text) == "" || a.Prepare(time.Now()) != nil
}

// plain reports whether a text surely has something that can be shown.
func plain(s string) bool {
	return strings.ContainsFunc(s, unicode.IsLetter) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) })
}

// Signature is how a tool proves that it sent a request.
type Signature struct {
	// Header is the header with the proof, which follows Prefix there.
	Header, Prefix string
	// Hash is sha256, sha1 or sha512 for an HMAC of the body with the secret, in the
	// Encoding hex or base64; or none: then the proof is the secret itself.
	Hash, Encoding string
}

// Signed reports whether a request has the proof.
func (s Signature) Signed(secret string, r Request) bool {
	proof, ok := strings.CutPrefix(r.Header.Get(s.Header), s.Prefix)
	if !ok {
		return false
	}
	hashes := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}
	if hashes[s.Hash] == nil {
		return subtle.ConstantTimeCompare([]byte(proof), []byte(secret)) == 1
	}
	decode := hex.DecodeString
	if s.Encoding == "base64" {
		decode = base64.StdEncoding.DecodeString
	}
	sum, err := decode(proof)
	if err != nil {
		return false
	}
	mac := hmac.New(hashes[s.Hash], []byte(secret))
	mac.Write(r.Body)
	return hmac.Equal(sum, mac.Sum(nil))
}
