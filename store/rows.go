package store

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/alert"
)

// The columns that are inserted, in the order of the arguments.
const (
	alertColumns = "n, id, key, status, severity, accepted_at, incident, lane, version, standing, delivery, " +
		"idempotency_key, reason, body, text"
	plainColumns  = "n, id, key, route, version, state, severity, count, first_at, last_at, body, content"
	peopleColumns = "says, text, opened_at, acked_at, resolved_at, silence, held_until, due_at"
	// incidentOf are the columns of an incident i in an answer; incidentContent
	// joins the alert that has what it says.
	incidentOf = "i.n, i.id, i.key, i.route, i.version, i.state, i.severity, i.count, i.first_at, i.last_at, " +
		"i.opened_at, i.acked_at, i.resolved_at, i.silence, i.held_until, i.due_at, i.body, " + contentOf
	contentOf       = "coalesce(i.says, said.body, ''), coalesce(i.text, said.text, '')"
	incidentContent = " LEFT JOIN alerts said ON said.n = i.content "
	deliveryColumns = "n, id, lane, kind, state, incident, stage, priority, created_at, next_at, note, must_say, top_level, class"
	// deliveryOf are the columns of a delivery d in the lane l in an answer.
	deliveryOf = "d.n, d.id, l.name, d.kind, d.state, d.incident, d.stage, d.priority, d.note, d.attempts, " +
		"d.created_at, d.next_at, d.started_at, d.done_at, d.plain, d.possible_duplicate, d.top_level, d.class, d.reason, " +
		"d.conversation, d.ts, d.via"
	historyColumns = "n, incident, silence, at, verb, by_whom, to_whom, text, once"
	silenceColumns = "n, id, matchers, created_at, starts_at, ends_at, every, by_whom, why, ended_by, hidden, told, channel, reminded_of, updated_at"
	countColumns   = "lane, pending, delivered, folded, silenced, dead, possible_duplicates"
)

// insertions are the multi-row inserts.
type insertions struct {
	alerts, plainIncidents, incidents, latest, deliveries, counts, history, silences, heartbeats, members insertion
}

// replaceIncident completes an insert of incidents that may exist. One that
// comes without a firing alert says what it said, unless it says something of its own.
const replaceIncident = `ON CONFLICT (n) DO UPDATE SET
	version = excluded.version, state = excluded.state, severity = excluded.severity, count = excluded.count,
	first_at = excluded.first_at, last_at = excluded.last_at, opened_at = excluded.opened_at,
	acked_at = excluded.acked_at, resolved_at = excluded.resolved_at, silence = excluded.silence,
	held_until = excluded.held_until, due_at = excluded.due_at, body = excluded.body,
	content = CASE WHEN excluded.says IS NULL THEN coalesce(excluded.content, incidents.content) END,
	says = CASE WHEN excluded.content IS NULL THEN coalesce(excluded.says, incidents.says) END,
	text = CASE WHEN excluded.content IS NULL THEN coalesce(excluded.text, incidents.text) END`

func newInsertions() insertions {
	return insertions{
		alerts: insertInto("alerts", alertColumns, ""),
		// What is left out gets its default, also as excluded.
		plainIncidents: insertInto("incidents", plainColumns, replaceIncident),
		incidents:      insertInto("incidents", plainColumns+", "+peopleColumns, replaceIncident),
		latest: insertInto("latest", "key, route, incident",
			"ON CONFLICT (key, route) DO UPDATE SET incident = excluded.incident"),
		deliveries: insertInto("deliveries", deliveryColumns, ""),
		counts: insertInto("counts", countColumns, `ON CONFLICT (lane) DO UPDATE SET
			pending = counts.pending + excluded.pending, delivered = counts.delivered + excluded.delivered,
			folded = counts.folded + excluded.folded, silenced = counts.silenced + excluded.silenced,
			dead = counts.dead + excluded.dead, possible_duplicates = counts.possible_duplicates + excluded.possible_duplicates`),
		history: insertInto("history", historyColumns, ""),
		silences: insertInto("silences", silenceColumns, `ON CONFLICT (id) DO UPDATE SET
			matchers = excluded.matchers, starts_at = excluded.starts_at, ends_at = excluded.ends_at, by_whom = excluded.by_whom,
			why = excluded.why, ended_by = excluded.ended_by, told = excluded.told, reminded_of = excluded.reminded_of,
			updated_at = excluded.updated_at`),
		heartbeats: insertInto("heartbeats", heartbeatColumns, `ON CONFLICT (name) DO UPDATE SET
			configured = excluded.configured, began_at = excluded.began_at, last_at = excluded.last_at,
			due_at = excluded.due_at, missing_at = excluded.missing_at, terms = excluded.terms`),
		members: insertInto("members", memberColumns, `ON CONFLICT (id) DO UPDATE SET
			n = excluded.n, rank = excluded.rank, severity = excluded.severity, began_at = excluded.began_at, last_at = excluded.last_at,
			ended_at = excluded.ended_at, expires_at = excluded.expires_at, silence = excluded.silence,
			silenced_until = excluded.silenced_until, closed = excluded.closed, due_at = excluded.due_at, body = excluded.body`),
	}
}

// The stages of a delivery, by which a lane's next one is found in one seek.
const (
	stageBehind int64 = iota
	stagePost
	stageUpdate
	// stageGathered is a post that a digest stands for: no claim finds it, and
	// what is pending for its card stays behind it until the digest is finished.
	stageGathered
)

// stageOf is the stage of a delivery of this kind when it can be claimed.
func stageOf(kind alert.Kind) int64 {
	if kind == alert.Update {
		return stageUpdate
	}
	return stagePost
}

// finished says whether a delivery in this state needs no attempt any more.
func finished(s alert.DeliveryState) bool {
	return s == alert.Delivered || s == alert.Dead || s == alert.Superseded || s == alert.Dropped
}

// document is a value as JSON text; an empty map, list or nil is empty text.
func document[T any](empty bool, v T) (string, error) {
	if empty {
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// parse reads what document wrote.
func parse(text string, into any) error {
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("read stored text: %w", err)
	}
	return nil
}

// alertBody is what of an alert no query looks into. Its text, which may be
// long, has a column of its own.
type alertBody struct {
	Title   string            `json:"title"`
	Source  string            `json:"source,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Links   []alert.Link      `json:"links,omitempty"`
	Images  []alert.Image     `json:"images,omitempty"`
	Format  alert.Format      `json:"format,omitempty"`
	Mention string            `json:"mention,omitempty"`
	Channel string            `json:"channel,omitempty"`
	At      int64             `json:"at,omitempty"` // microseconds
	Hash    int64             `json:"hash,omitempty"`
	Token   string            `json:"token,omitempty"` // its name
	Message *alert.Message    `json:"message,omitempty"`
	Trace   alert.Traceparent `json:"trace,omitempty"`
	State   alert.Tracestate  `json:"tracestate,omitempty"`
	// Annotations are not nil if Prometheus has sent the alert without any.
	Annotations map[string]string `json:"annotations,omitzero"`
}

func encodeAlert(a *alert.Alert) (string, error) {
	text, err := document(false, alertBody{a.Title, a.Source, a.Labels, a.Links, a.Images, a.Format, a.Mention, a.Channel, micros(a.At), a.Hash, a.TokenName, a.Message, a.Traceparent, a.Tracestate, a.Annotations})
	if err != nil {
		return "", fmt.Errorf("write alert: %w", err)
	}
	return text, nil
}

// decodeAlert reads what encodeAlert wrote.
func decodeAlert(body string, a *alert.Alert) error {
	var b alertBody
	err := parse(body, &b)
	a.Title, a.Source, a.Labels, a.Links, a.Images, a.Format = b.Title, b.Source, b.Labels, b.Links, b.Images, b.Format
	a.Mention, a.Channel, a.At, a.TokenName, a.Message = b.Mention, b.Channel, fromMicros(b.At), b.Token, b.Message
	a.Annotations, a.Traceparent, a.Tracestate = b.Annotations, b.Trace, b.State
	return err
}

// encodeContent is what an incident says, as that of an alert.
func encodeContent(i *alert.Incident) (string, error) {
	return encodeAlert(&alert.Alert{
		Title: i.Title, Source: i.Source, Labels: i.Labels, Links: i.Links, Images: i.Images, Format: i.Format, Mention: i.Mention,
		TokenName: i.TokenName, Message: i.Message, Annotations: i.Annotations,
	})
}

// decodeContent reads what an incident says.
func decodeContent(body string, i *alert.Incident) error {
	var a alert.Alert
	err := decodeAlert(body, &a)
	i.Title, i.Source, i.Labels, i.Links, i.Images, i.Mention = a.Title, a.Source, a.Labels, a.Links, a.Images, a.Mention
	i.Format, i.TokenName, i.Message, i.Annotations = a.Format, a.TokenName, a.Message, a.Annotations
	return err
}

// incidentBody is what of an incident no query looks into.
type incidentBody struct {
	Lanes         []string            `json:"lanes"`
	Mentions      map[string][]string `json:"mentions,omitempty"`
	AckedBy       string              `json:"acked_by,omitempty"`
	Assignee      string              `json:"assignee,omitempty"`
	ResolvedBy    string              `json:"resolved_by,omitempty"`
	SilencedUntil int64               `json:"silenced_until,omitempty"` // microseconds
	Escalated     int                 `json:"escalated,omitempty"`
	Waiting       bool                `json:"waiting,omitempty"`
	RemindAt      int64               `json:"remind_at,omitempty"` // microseconds
	ReopenedAt    []time.Time         `json:"reopened_at,omitempty"`
	FlappingSince int64               `json:"flapping_since,omitempty"` // microseconds
	Unsaid        string              `json:"unsaid,omitempty"`
	Unpaged       bool                `json:"unpaged,omitempty"`
	Retold        bool                `json:"retold,omitempty"`
	Untold        *alert.Note         `json:"untold,omitempty"`
	BeganAt       int64               `json:"began_at,omitempty"`      // microseconds
	EndedAt       int64               `json:"ended_at,omitempty"`      // microseconds
	LastBeganAt   int64               `json:"last_began_at,omitempty"` // microseconds
	ExpiresAt     int64               `json:"expires_at,omitempty"`    // microseconds
	ExpiresIn     time.Duration       `json:"expires_in,omitempty"`
	Repeated      bool                `json:"repeated,omitempty"`
	Expired       bool                `json:"expired,omitempty"`
	NotifyAt      int64               `json:"notify_at,omitempty"` // microseconds
	Fields        []alert.Field       `json:"fields,omitempty"`
	SentTitle     string              `json:"sent_title,omitempty"`
	Unworded      string              `json:"unworded,omitempty"`
	Group         *groupBody          `json:"group,omitempty"`
}

func encodeIncident(i *alert.Incident) (string, error) {
	text, err := document(false, incidentBody{
		i.Lanes, i.Mentions, personText(i.AckedBy), personText(i.Assignee), personText(i.ResolvedBy),
		micros(i.SilencedUntil), i.Escalated, i.Waiting, micros(i.RemindAt), i.ReopenedAt, micros(i.FlappingSince),
		i.Unsaid, i.Unpaged, i.Retold, i.Untold, micros(i.BeganAt), micros(i.EndedAt), micros(i.LastBeganAt), micros(i.ExpiresAt), i.ExpiresIn, i.Repeated, i.Expired, micros(i.NotifyAt), i.Fields, i.SentTitle,
		i.Unworded, encodeGroup(i.Group),
	})
	if err != nil {
		return "", fmt.Errorf("write incident: %w", err)
	}
	return text, nil
}

// decodeIncident reads what encodeIncident wrote.
func decodeIncident(body string, i *alert.Incident) error {
	var b incidentBody
	err := parse(body, &b)
	i.Lanes, i.Mentions, i.Escalated, i.Waiting = b.Lanes, b.Mentions, b.Escalated, b.Waiting
	i.AckedBy, i.Assignee, i.ResolvedBy = person(b.AckedBy), person(b.Assignee), person(b.ResolvedBy)
	i.SilencedUntil, i.RemindAt = fromMicros(b.SilencedUntil), fromMicros(b.RemindAt)
	i.ReopenedAt, i.FlappingSince, i.Unsaid, i.Unpaged = b.ReopenedAt, fromMicros(b.FlappingSince), b.Unsaid, b.Unpaged
	i.Retold, i.Untold = b.Retold, b.Untold
	i.BeganAt, i.EndedAt, i.ExpiresAt = fromMicros(b.BeganAt), fromMicros(b.EndedAt), fromMicros(b.ExpiresAt)
	i.LastBeganAt = fromMicros(b.LastBeganAt)
	i.ExpiresIn, i.Repeated, i.Expired, i.NotifyAt = b.ExpiresIn, b.Repeated, b.Expired, fromMicros(b.NotifyAt)
	i.Fields, i.SentTitle, i.Unworded = b.Fields, b.SentTitle, b.Unworded
	i.Group = b.Group.group()
	return err
}

// keyHash is what the table latest has for a key. Two keys with one hash, which
// may be expected once among some thousand million keys, would not fold: each
// alert would open an incident of its own.
func keyHash(key string) int64 {
	sum := sha256.Sum256([]byte(key))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// keys are a row's own number and those of the rows it belongs to; nil: none.
type keys struct {
	n, lane            int64
	incident, delivery any
}

func (at keys) alertArgs(args []any, r *alert.Record, body string) []any {
	var idempotency any
	if r.IdempotencyKey != "" {
		idempotency = r.IdempotencyKey
	}
	return append(args, at.n, r.ID, r.Key, code(r.Status), code(r.Severity), micros(r.AcceptedAt), at.incident, at.lane,
		r.Version, code(r.Standing), at.delivery, idempotency, r.Reason, body, r.Text)
}

// incidentText is an incident as its columns have it: what it says is empty where
// an alert has it or nothing has changed.
type incidentText struct {
	body, says string
	// content is the number of the alert that has what it says, or nil.
	content any
}

func plainArgs(args []any, n int64, i *alert.Incident, t incidentText) []any {
	return append(args, n, i.ID, i.Key, i.Route, i.Version, code(i.State), code(i.Severity), i.Count,
		micros(i.FirstAt), micros(i.LastAt), t.body, t.content)
}

// peopleArgs are what plainArgs leaves out.
func peopleArgs(args []any, i *alert.Incident, t incidentText) []any {
	opened := micros(i.OpenedAt)
	if i.OpenedAt.Equal(i.FirstAt) {
		opened = 0
	}
	var says, text any
	if t.says != "" {
		says, text = t.says, i.Text
	}
	return append(args, says, text, opened, micros(i.AckedAt), micros(i.ResolvedAt), hiddenBy(i), micros(i.HeldUntil), micros(i.DueAt))
}

// hiddenBy is what the column silence has: the id of the silence or of the incident that
// hides it.
func hiddenBy(i *alert.Incident) string { return cmp.Or(i.Silence, i.InhibitedBy) }

// setHiddenBy is the inverse of hiddenBy.
func setHiddenBy(i *alert.Incident, id string) {
	if alert.IsSilenceID(id) {
		i.Silence = id
	} else {
		i.InhibitedBy = id
	}
}

// plain reports whether peopleArgs would be nothing but defaults, as for most
// incidents that an alert opens, and they are written quicker.
func plain(i *alert.Incident, t incidentText) bool {
	return t.says == "" && i.OpenedAt.Equal(i.FirstAt) && i.AckedAt.IsZero() && i.ResolvedAt.IsZero() &&
		!i.Hidden() && i.HeldUntil.IsZero() && i.DueAt.IsZero()
}

func (at keys) deliveryArgs(args []any, d *alert.Delivery, note string, stage any) []any {
	return append(args, at.n, d.ID, at.lane, code(d.Kind), code(d.State), at.incident, stage, d.Priority,
		micros(d.CreatedAt), micros(d.NextAt), note, number(d.Kind == alert.Reply && d.Note.MustSay()), number(d.TopLevel), string(d.Class))
}

func (at keys) eventArgs(args []any, e *alert.Event) []any {
	return append(args, at.n, at.incident, e.Silence, micros(e.At), string(e.Verb), personText(e.By), personText(e.To), e.Text, e.RequestID)
}

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// incidentRow receives the columns of incidentOf.
type incidentRow struct {
	n int64
	i alert.Incident
	first, last, opened,
	acked, resolved, held, due int64
	hiddenBy, body, says string
}

func (r *incidentRow) dest() []any {
	i := &r.i
	return []any{&r.n, &i.ID, &i.Key, &i.Route, &i.Version, word(&i.State), word(&i.Severity), &i.Count, &r.first, &r.last,
		&r.opened, &r.acked, &r.resolved, &r.hiddenBy, &r.held, &r.due, &r.body, &r.says, &i.Text}
}

func (r *incidentRow) incident(names *alert.Aliases) (alert.Incident, error) {
	i := r.i
	i.FirstAt, i.LastAt, i.OpenedAt = fromMicros(r.first), fromMicros(r.last), fromMicros(cmp.Or(r.opened, r.first))
	i.AckedAt, i.ResolvedAt = fromMicros(r.acked), fromMicros(r.resolved)
	i.HeldUntil, i.DueAt = fromMicros(r.held), fromMicros(r.due)
	setHiddenBy(&i, r.hiddenBy)
	err := errors.Join(decodeIncident(r.body, &i), decodeContent(r.says, &i))
	return names.Incident(i), err
}

// personText is a person's String, or with a bar what would be read as another.
func personText(p alert.Person) string {
	s := p.String()
	if s == "" || alert.ParsePerson(s) == p {
		return s
	}
	return p.ID + "|" + strings.ReplaceAll(p.Name, "|", "¦")
}

// person reads what personText wrote; most are nobody.
func person(s string) alert.Person {
	if s == "" {
		return alert.Person{}
	}
	return alert.ParsePerson(s)
}

// deliveryRow receives the columns of deliveryOf.
type deliveryRow struct {
	d        alert.Delivery
	incident int64
	stage    *int64
	note     string
	created, next,
	started, done int64
}

func (r *deliveryRow) dest() []any {
	d := &r.d
	return []any{&d.Seq, &d.ID, &d.Lane, word(&d.Kind), word(&d.State), &r.incident, &r.stage, &d.Priority, &r.note,
		&d.Attempts, &r.created, &r.next, &r.started, &r.done, &d.Plain, &d.PossibleDuplicate,
		&d.TopLevel, &d.Class, &d.Reason, &d.Conversation, &d.TS, &d.Via}
}

func (r *deliveryRow) delivery(names *alert.Aliases) (alert.Delivery, error) {
	d := r.d
	d.Via = names.Lane(d.Via)
	d.CreatedAt, d.NextAt = fromMicros(r.created), fromMicros(r.next)
	d.StartedAt, d.DoneAt = fromMicros(r.started), fromMicros(r.done)
	if r.note == "" {
		return d, nil
	}
	d.Note = &alert.Note{}
	return d, parse(r.note, d.Note)
}
