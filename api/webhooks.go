package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tocsin/alert"
)

// Webhook is a path where another tool posts what it has to say.
type Webhook struct {
	// Name identifies it, Tool is what people call the tool.
	Name, Tool string
	// Path is a pattern of http.ServeMux. A wildcard {channel} names the conversation.
	Path string
	// Read returns what a request asks for. body is UTF-8. The error says why it is not
	// understood.
	Read func(body []byte, header http.Header) (alert.Intake, error)
	// ReadMessage is Read for a request with ?as=message; nil where there is none.
	ReadMessage func(body []byte, header http.Header) (alert.Intake, error)
	// Verify reports whether a request is signed with the configured secret; nil if
	// there is none. A signed request needs no token.
	Verify func(body []byte, header http.Header) bool
	// Custom is set for one that the configuration defines.
	Custom bool
	// Answer is the answer in the tool's own words: to alerts with these keys, or, if
	// status is not 202, about a problem. nil for the API's own.
	Answer func(status int, keys []string, problem string) (code int, contentType, body string)
}

// accepted is the answer to alerts that are on disk.
type accepted struct {
	Accepted int              `json:"accepted"`
	Alerts   []alert.Accepted `json:"alerts"`
	// Heartbeats are those that the request has sent.
	Heartbeats []Heartbeat `json:"heartbeats,omitempty"`
	// Acked are the keys whose open incidents are acknowledged now, Unacked those whose
	// acknowledged incidents are open again.
	Acked   []string `json:"acked,omitempty"`
	Unacked []string `json:"unacked,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	// refused say which alerts of the request were not accepted, and why.
	refused []string
}

func (a *API) handleWebhooks(mux router) {
	for _, hook := range a.opts.Webhooks {
		mux.Handle("POST "+hook.Path, a.webhook(hook))
		if strings.Contains(hook.Path, "{channel}") {
			mux.Handle(services, a.service(hook))
		}
	}
	mux.HandleFunc("/v1/webhooks/{name}", a.unknownWebhook)
}

// webhook answers the requests of one tool.
func (a *API) webhook(hook Webhook) http.Handler {
	receive := func(r *http.Request) (any, error) { return a.receive(hook, r) }
	if hook.Answer == nil {
		return a.handle(http.StatusAccepted, receive)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, hook.most())
		status, problem := http.StatusAccepted, ""
		got, err := a.receive(hook, r)
		switch {
		case err != nil:
			e := a.refuse(w, r, err)
			status, problem = e.status, e.what
		case len(got.refused) > 0:
			status, problem = http.StatusBadRequest, strings.Join(got.refused, "; ")
		}
		keys := got.Acked
		for _, receipt := range got.Alerts {
			keys = append(keys, receipt.Key)
		}
		hook.answer(w, status, keys, problem)
	})
}

// most is how many bytes a request may have.
func (w Webhook) most() int64 {
	if w.Path == amPaths+"alerts" {
		return maxRepeated
	}
	return maxBody
}

// answer writes Answer's answer.
func (w Webhook) answer(to http.ResponseWriter, status int, keys []string, problem string) {
	code, contentType, body := w.Answer(status, keys, problem)
	to.Header().Set("Content-Type", contentType)
	to.WriteHeader(code)
	_, _ = to.Write([]byte(body)) // the caller has gone
}

// owns reports whether only the tool's senders ask for a path: its own, or with a
// conversation in it any that begins like it or like Slack's.
func (w Webhook) owns(path string) bool {
	if !strings.Contains(w.Path, "{channel}") {
		return path == w.Path
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(w.Path, "/"), "/")
	return strings.HasPrefix(path, "/"+first+"/") || strings.HasPrefix(path, "/services/")
}

// services is the pattern of Slack's own webhook paths.
const services = "POST /services/{path...}"

// service answers requests for a path of Options.Services.
func (a *API) service(hook Webhook) http.Handler {
	next := a.webhook(hook)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		channel, ok := a.serviceChannel(r.PathValue("path"))
		if !ok {
			a.fail(w, r, &httpError{http.StatusNotFound, "no_service", "map the path in the configuration: ingest.services"})
			return
		}
		r.SetPathValue("channel", channel)
		next.ServeHTTP(w, r)
	})
}

// serviceChannel returns the conversation of a path, which is as secret as a token.
func (a *API) serviceChannel(path string) (channel string, ok bool) {
	for known, to := range a.opts.Services {
		if subtle.ConstantTimeCompare([]byte(known.Reveal()), []byte(path)) == 1 {
			channel, ok = to, true
		}
	}
	return channel, ok
}

// receive does what a tool's request asks for.
func (a *API) receive(hook Webhook, r *http.Request) (accepted, error) {
	body, err := readBody(r)
	if err != nil {
		return accepted{}, err
	}
	if err := hook.verify(body, r.Header); err != nil {
		return accepted{}, err
	}
	if body, err = unpacked(r, body, hook.most()); err != nil {
		return accepted{}, err
	}
	if _, err := isStrict(r.URL.Query()); err != nil {
		return accepted{}, err
	}
	kind, charset := kindOf(r.Header.Get("Content-Type"))
	read, repaired := readable(kind, charset, body)
	read = bytes.TrimSpace(read)
	readAs, err := hook.readAs(r.URL.Query().Get("as"))
	if err != nil {
		return accepted{}, err
	}
	in, misplaced, err := a.ofAnother(hook, r, body, read)
	if !misplaced {
		in, err = readAs(read, r.Header)
	} else if err != nil {
		return accepted{}, err
	}
	if err != nil {
		if in, err = a.misread(hook, r, body, read, err); err != nil {
			return accepted{}, err
		}
	}
	in.Notes = append(repaired, in.Notes...)
	return a.submit(r, in)
}

// readAs returns how a request is read that asks for a card or a message; empty is a card.
func (w Webhook) readAs(what string) (func([]byte, http.Header) (alert.Intake, error), error) {
	switch {
	case what == "" || what == "card":
		return w.Read, nil
	case what == "message" && w.ReadMessage != nil:
		return w.ReadMessage, nil
	}
	return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("%s can't be shown as %q", w.Tool, what), "leave as out, or for Slack's webhook write as=message"}
}

// verify checks the signature of a request, of which body is as it was sent.
func (w Webhook) verify(body []byte, header http.Header) error {
	if w.Verify == nil || w.Verify(body, header) {
		return nil
	}
	return &httpError{http.StatusUnauthorized, "the signature or secret of this webhook is missing or wrong", "give the tool and Tocsin the same secret: that of " + w.Name + " under ingest in the configuration"}
}

// misread is what becomes of a body that is not the tool's: that of another tool is read
// as such, and any other becomes an alert with the body as its text. sent is the body as it
// was sent, body the same in UTF-8.
func (a *API) misread(hook Webhook, r *http.Request, sent, body []byte, reason error) (alert.Intake, error) {
	strict, _ := isStrict(r.URL.Query()) // receive has checked it
	what := fmt.Sprintf("the body is not understood as one from %s: %s", hook.Tool, reason)
	if in, ok, err := a.readAsAnother(r, sent, body, strict); ok {
		return in, err
	}
	if hook.Answer != nil {
		what = reason.Error()
	}
	if strict || hook.Answer != nil || len(body) == 0 {
		return alert.Intake{}, &httpError{http.StatusBadRequest, what, "docs/webhooks.md shows what to configure in the tool"}
	}
	sum := sha256.Sum256(body)
	return alert.Intake{
		Alerts: []alert.Alert{{
			Source: hook.Name, Key: hook.Name + "/" + hex.EncodeToString(sum[:8]), Severity: alert.Warning,
			Title: "A webhook of " + hook.Tool + " was not understood", Text: alert.Preformatted(string(body)),
		}},
		Notes: []string{what + "; kept as text"},
	}, nil
}

// readAsAnother reads the body of a tool that has a path of its own. ok is false if it
// is not recognized, or not understood either. sent and body are those of misread.
func (a *API) readAsAnother(r *http.Request, sent, body []byte, strict bool) (in alert.Intake, ok bool, err error) {
	other, ok := a.recognized(r, body)
	if !ok {
		return in, false, nil
	}
	return other.read(r, sent, body, strict)
}

// recognized returns the webhook whose tool most likely has sent a body.
func (a *API) recognized(r *http.Request, body []byte) (Webhook, bool) {
	if a.opts.Recognize == nil {
		return Webhook{}, false
	}
	name := a.opts.Recognize(body, r.Header)
	n := slices.IndexFunc(a.opts.Webhooks, func(w Webhook) bool { return w.Name == name })
	if n < 0 {
		return Webhook{}, false
	}
	return a.opts.Webhooks[n], true
}

// read reads a body of its tool that came to another path, and says where it belongs.
func (w Webhook) read(r *http.Request, sent, body []byte, strict bool) (in alert.Intake, ok bool, err error) {
	read, err := w.Read(body, r.Header)
	unsigned := w.verify(sent, r.Header)
	switch {
	case err != nil:
		ok, err = false, nil
	case unsigned != nil:
		ok, err = true, unsigned
	case strict:
		ok, err = true, &httpError{http.StatusBadRequest, "this looks like " + w.Tool, "use " + w.Path}
	default:
		ok, in = true, read
		in.Notes = append(in.Notes, fmt.Sprintf("this looks like %s: use %s", w.Tool, w.Path))
	}
	return in, ok, err
}

// ofAnother reads a body that is certainly another tool's, such as Grafana's at the path of
// Alertmanager, whose members it has too. Paths that answer in a tool's own words, and those
// of the configuration, take what comes. misplaced is false for a body of the path's own
// tool, and for one that nobody knows.
func (a *API) ofAnother(hook Webhook, r *http.Request, sent, body []byte) (in alert.Intake, misplaced bool, err error) {
	if hook.Answer != nil || hook.Custom {
		return in, false, nil
	}
	other, known := a.recognized(r, body)
	if !known || other.Name == hook.Name || other.Answer != nil {
		return in, false, nil
	}
	strict, _ := isStrict(r.URL.Query()) // receive has checked it
	return other.read(r, sent, body, strict)
}

// submit passes on what a request asks for.
func (a *API) submit(r *http.Request, in alert.Intake) (accepted, error) {
	query := r.URL.Query()
	in.Notes, in.Refused = alert.FewNotes(in.Notes), alert.FewNotes(in.Refused)
	for n := range in.Alerts {
		one := &in.Alerts[n]
		if channel := r.PathValue("channel"); channel != "" {
			one.Channel = channel
		}
		one.Channel = cmp.Or(one.Channel, query.Get("channel"))
		one.Mention = cmp.Or(one.Mention, query.Get("mention"))
		one.Severity = cmp.Or(one.Severity, alert.Severity(query.Get("severity")))
	}
	if err := setStrict(query, in.Alerts, in.Notes); err != nil {
		return accepted{}, err
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		nameAlerts(in.Alerts, key)
	}
	heartbeats, err := a.beatAlong(r, in.Beats)
	if err != nil {
		refused := explain(err)
		if refused.status != http.StatusBadRequest || len(in.Alerts) == 0 {
			return accepted{}, err
		}
		in.Notes = append(in.Notes, "not every heartbeat in it counts: "+refused.what+"; "+refused.hint) // the alerts do
	}
	if err := a.acknowledge(r, in); err != nil {
		return accepted{}, err
	}
	if len(in.Alerts) == 0 {
		return accepted{Alerts: []alert.Accepted{}, Heartbeats: heartbeats, Acked: in.Acked, Unacked: in.Unacked, Notes: in.Notes, refused: in.Refused}, nil
	}
	got, err := a.push(r, in.Alerts, in.Notes)
	got.refused, got.Heartbeats, got.Acked, got.Unacked = in.Refused, heartbeats, in.Acked, in.Unacked
	return got, err
}

// push accepts alerts, all of them or none. noted are the notes about the request.
func (a *API) push(r *http.Request, alerts []alert.Alert, noted []string) (accepted, error) {
	if len(alerts) > maxAlerts {
		return accepted{}, tooMany(len(alerts))
	}
	if err := a.sign(r, alerts); err != nil {
		return accepted{}, err
	}
	written := a.written(r)
	parent, state := traced(r)
	for n := range alerts {
		one := &alerts[n]
		one.Traceparent, one.Tracestate = parent, state
		if one.IdempotencyKey != "" && one.Hash == 0 {
			one.Hash = one.ContentHash()
		}
		if one.At.IsZero() { // after the hash: a second try has waited longer
			one.At = written
		}
	}
	receipts, err := a.opts.Engine.Push(r.Context(), alerts)
	if err != nil {
		a.unsign(r, len(alerts))
		return accepted{}, err
	}
	got := accepted{Alerts: receipts, Notes: alert.FewNotes(append(noted, notes(receipts)...))}
	for _, receipt := range receipts {
		if receipt.Effect != alert.EffectIgnored && receipt.Effect != alert.EffectRefreshed {
			got.Accepted++
		}
	}
	return got, nil
}

func tooMany(alerts int) error {
	return &httpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request has %d alerts, more than %d", alerts, maxAlerts), "send them in several requests"}
}

// acknowledge acknowledges the open incidents of keys that are acknowledged in a tool, and
// undoes that where the tool does. That is an act: it is refused where nobody may act, also if
// nothing is open, so that the answer does not tell what is.
func (a *API) acknowledge(r *http.Request, in alert.Intake) error {
	if len(in.Acked)+len(in.Unacked) == 0 {
		return nil
	}
	if r.Context().Value(readOnly{}) != nil {
		_, err := refuseAct(r)
		return err
	}
	if err := callerOf(r).token().Permit(alert.MayAct); err != nil {
		return err
	}
	acks, err := a.actsOn(r, in.Acked, alert.Open, alert.Act{Verb: alert.VerbAck, By: in.By, Text: in.Note})
	if err != nil {
		return err
	}
	unacks, err := a.actsOn(r, in.Unacked, alert.Acked, alert.Act{Verb: alert.VerbUnack, By: in.By, Text: in.Note})
	if err != nil || len(acks)+len(unacks) == 0 {
		return err
	}
	_, err = a.opts.Engine.Act(r.Context(), append(acks, unacks...))
	return err
}

// actsOn is an act on each incident in a state that has one of the keys, or in whose group an
// alert has it.
func (a *API) actsOn(r *http.Request, keys []string, state alert.State, act alert.Act) (acts []alert.Act, err error) {
	for _, key := range keys {
		matcher, err := alert.NewMatcher("key", "=", key)
		if err != nil {
			continue // no alert has such a key
		}
		found, err := a.opts.Store.Incidents(r.Context(), alert.IncidentFilter{States: []alert.State{state}, Matchers: alert.Matchers{matcher}, Members: true})
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			act.Incident = i.ID
			acts = append(acts, act)
		}
	}
	return acts, nil
}

// unknownWebhook answers requests for a webhook that is not there, or with another
// method than POST.
func (a *API) unknownWebhook(w http.ResponseWriter, r *http.Request) {
	var known []string
	for _, hook := range a.opts.Webhooks {
		if hook.Path == r.URL.Path {
			a.fail(w, r, &httpError{http.StatusMethodNotAllowed, r.Method + " is not allowed for " + hook.Path, hook.Tool + " has to POST there"})
			return
		}
		if strings.HasPrefix(hook.Path, "/v1/webhooks/") {
			known = append(known, hook.Name)
		}
	}
	slices.Sort(known)
	a.fail(w, r, &httpError{http.StatusNotFound, "there is no webhook " + r.PathValue("name"), "the webhooks are " + strings.Join(known, ", ") + "; any other tool posts to /v1/alerts"})
}
