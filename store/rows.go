package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tocsin/alert"
)

// The columns of each table, in the order of the arguments and of the scans.
const (
	alertColumns = "n, id, source, key, status, severity, title, text, labels, links, channel, mention, at, " +
		"idempotency_key, accepted_at, incident, lane, version, delivery, standing, reason"
	plainColumns = "n, id, key, route, version, state, severity, urgency, source, title, text, labels, links, " +
		"mention, count, first_at, last_at, acked_by, acked_at, resolved_at, lanes"
	peopleColumns = "opened_at, assignee, resolved_by, silence, silenced_until, held_until, escalated, due_at, mentions"
	// incidentOf are the same in an answer.
	incidentOf = "i.n, i.id, i.key, i.route, i.version, i.state, i.severity, i.urgency, i.source, i.title, i.text, " +
		"i.labels, i.links, i.mention, i.count, i.first_at, i.last_at, i.acked_by, i.acked_at, i.resolved_at, i.lanes, " +
		"i.opened_at, i.assignee, i.resolved_by, i.silence, i.silenced_until, i.held_until, i.escalated, i.due_at, i.mentions"
	deliveryColumns = "n, id, lane, kind, state, incident, stage, priority, note, attempts, created_at, next_at, " +
		"started_at, done_at, plain, possible_duplicate, top_level, class, reason, conversation, ts, must_say"
	historyColumns = "n, incident, silence, at, verb, by_whom, to_whom, text, once"
	silenceColumns = "n, id, matchers, created_at, ends_at, by_whom, why, ended_by, hidden, told"
)

// insertions are the multi-row inserts of a change.
type insertions struct {
	alerts, plainIncidents, incidents, latest, deliveries, counts, history, silences insertion
}

// replaceIncident completes an insert of incidents that may be there.
const replaceIncident = `ON CONFLICT (n) DO UPDATE SET
	version = excluded.version, state = excluded.state, severity = excluded.severity,
	urgency = excluded.urgency, source = excluded.source, title = excluded.title,
	text = excluded.text, labels = excluded.labels, links = excluded.links,
	mention = excluded.mention, count = excluded.count, first_at = excluded.first_at,
	last_at = excluded.last_at, acked_by = excluded.acked_by, acked_at = excluded.acked_at,
	resolved_at = excluded.resolved_at, lanes = excluded.lanes, opened_at = excluded.opened_at,
	assignee = excluded.assignee, resolved_by = excluded.resolved_by, silence = excluded.silence,
	silenced_until = excluded.silenced_until, held_until = excluded.held_until,
	escalated = excluded.escalated, due_at = excluded.due_at, mentions = excluded.mentions`

func newInsertions() insertions {
	return insertions{
		alerts: insertInto("alerts", alertColumns, ""),
		// What is left out gets its default, also as excluded.
		plainIncidents: insertInto("incidents", plainColumns, replaceIncident),
		incidents:      insertInto("incidents", plainColumns+", "+peopleColumns, replaceIncident),
		latest: insertInto("latest", "key, route, incident",
			"ON CONFLICT (key, route) DO UPDATE SET incident = excluded.incident"),
		deliveries: insertInto("deliveries", deliveryColumns, ""),
		counts: insertInto("counts", "lane, standing, alerts",
			"ON CONFLICT (lane, standing) DO UPDATE SET alerts = counts.alerts + excluded.alerts"),
		history: insertInto("history", historyColumns, ""),
		silences: insertInto("silences", silenceColumns, `ON CONFLICT (id) DO UPDATE SET
			matchers = excluded.matchers, ends_at = excluded.ends_at, by_whom = excluded.by_whom,
			why = excluded.why, ended_by = excluded.ended_by, told = excluded.told`),
	}
}

// The stages of a delivery, by which a lane's next one is found in one seek.
const (
	stageBehind int64 = iota
	stagePost
	stageUpdate
	// stageGathered is a post that a digest stands for: no claim finds it, and
	// what is owed to its card stays behind it until the digest is finished.
	stageGathered
)

// stageOf is the stage of a delivery of this kind when its turn has come.
func stageOf(kind alert.Kind) int64 {
	if kind == alert.Update {
		return stageUpdate
	}
	return stagePost
}

// finished: nothing is owed any more.
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

// texts are the JSON columns of an alert or an incident.
type texts struct{ labels, links, lanes, mentions string }

func textsOf(labels map[string]string, links []alert.Link, lanes []string) (t texts, err error) {
	if t.labels, err = document(len(labels) == 0, labels); err != nil {
		return t, fmt.Errorf("write labels: %w", err)
	}
	if t.links, err = document(len(links) == 0, links); err != nil {
		return t, fmt.Errorf("write links: %w", err)
	}
	if t.lanes, err = document(len(lanes) == 0, lanes); err != nil {
		return t, fmt.Errorf("write lanes: %w", err)
	}
	return t, nil
}

// incidentTexts are the JSON columns of an incident.
func incidentTexts(i *alert.Incident) (texts, error) {
	t, err := textsOf(i.Labels, i.Links, i.Lanes)
	if err != nil {
		return t, err
	}
	if t.mentions, err = document(len(i.Mentions) == 0, i.Mentions); err != nil {
		return t, fmt.Errorf("write mentions: %w", err)
	}
	return t, nil
}

// keys are a row's own number and those of the rows it belongs to; nil: none.
type keys struct {
	n                  int64
	incident, delivery any
}

func (at keys) alertArgs(args []any, r *alert.Record, t texts) []any {
	return append(args, at.n, r.ID, r.Source, r.Key, string(r.Status), string(r.Severity), r.Title, r.Text,
		t.labels, t.links, r.Channel, r.Mention, micros(r.At), r.IdempotencyKey, micros(r.AcceptedAt),
		at.incident, r.Lane, r.Version, at.delivery, string(r.Standing), r.Reason)
}

func plainArgs(args []any, n int64, i *alert.Incident, t texts) []any {
	return append(args, n, i.ID, i.Key, i.Route, i.Version, string(i.State), string(i.Severity),
		urgency(i.Severity), i.Source, i.Title, i.Text, t.labels, t.links, i.Mention, i.Count,
		micros(i.FirstAt), micros(i.LastAt), personText(i.AckedBy), micros(i.AckedAt), micros(i.ResolvedAt), t.lanes)
}

// peopleArgs are what plainArgs leaves out.
func peopleArgs(args []any, i *alert.Incident, t texts) []any {
	opened := micros(i.OpenedAt)
	if i.OpenedAt.Equal(i.FirstAt) {
		opened = 0
	}
	return append(args, opened, personText(i.Assignee), personText(i.ResolvedBy), i.Silence, micros(i.SilencedUntil),
		micros(i.HeldUntil), i.Escalated, micros(i.DueAt), t.mentions)
}

// plain tells whether peopleArgs would be nothing but defaults: so are most
// incidents that an alert opens, and they are written quicker.
func plain(i *alert.Incident) bool {
	return i.OpenedAt.Equal(i.FirstAt) && i.DueAt.IsZero() && i.Silence == "" && i.HeldUntil.IsZero() && i.SilencedUntil.IsZero() &&
		i.Escalated == 0 && len(i.Mentions) == 0 && i.Assignee == alert.Person{} && i.ResolvedBy == alert.Person{}
}

func (at keys) deliveryArgs(args []any, d *alert.Delivery, note string, stage any) []any {
	return append(args, at.n, d.ID, d.Lane, string(d.Kind), string(d.State), at.incident, stage, d.Priority, note,
		d.Attempts, micros(d.CreatedAt), micros(d.NextAt), micros(d.StartedAt), micros(d.DoneAt),
		number(d.Plain), number(d.PossibleDuplicate), number(d.TopLevel), string(d.Class), d.Reason, d.Conversation, d.TS,
		number(d.Kind == alert.Reply && d.Note.MustSay()))
}

func (at keys) eventArgs(args []any, e *alert.Event) []any {
	return append(args, at.n, at.incident, e.Silence, micros(e.At), string(e.Verb), personText(e.By), personText(e.To), e.Text, e.RequestID)
}

// urgency grows with the severity, so that an index read backwards gives the
// worst and latest first.
func urgency(s alert.Severity) int { return len(alert.Severities()) - s.Rank() }

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// incidentRow receives an incident's columns.
type incidentRow struct {
	n       int64
	i       alert.Incident
	urgency int
	t       texts
	first, last,
	acked, resolved,
	opened, silenced, held, due int64
	ackedBy, assignee, resolvedBy string
}

func (r *incidentRow) dest() []any {
	i := &r.i
	return []any{&r.n, &i.ID, &i.Key, &i.Route, &i.Version, &i.State, &i.Severity, &r.urgency, &i.Source,
		&i.Title, &i.Text, &r.t.labels, &r.t.links, &i.Mention, &i.Count, &r.first, &r.last,
		&r.ackedBy, &r.acked, &r.resolved, &r.t.lanes, &r.opened, &r.assignee, &r.resolvedBy,
		&i.Silence, &r.silenced, &r.held, &i.Escalated, &r.due, &r.t.mentions}
}

func (r *incidentRow) incident() (alert.Incident, error) {
	i := r.i
	i.FirstAt, i.LastAt = fromMicros(r.first), fromMicros(r.last)
	i.AckedBy, i.Assignee, i.ResolvedBy = person(r.ackedBy), person(r.assignee), person(r.resolvedBy)
	i.AckedAt, i.ResolvedAt, i.OpenedAt = fromMicros(r.acked), fromMicros(r.resolved), fromMicros(cmp.Or(r.opened, r.first))
	i.SilencedUntil, i.HeldUntil, i.DueAt = fromMicros(r.silenced), fromMicros(r.held), fromMicros(r.due)
	return i, errors.Join(parse(r.t.labels, &i.Labels), parse(r.t.links, &i.Links),
		parse(r.t.lanes, &i.Lanes), parse(r.t.mentions, &i.Mentions))
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

// deliveryRow receives a delivery's columns.
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
	return []any{&d.Seq, &d.ID, &d.Lane, &d.Kind, &d.State, &r.incident, &r.stage, &d.Priority, &r.note,
		&d.Attempts, &r.created, &r.next, &r.started, &r.done, &d.Plain, &d.PossibleDuplicate,
		&d.TopLevel, &d.Class, &d.Reason, &d.Conversation, &d.TS, &d.Via}
}

func (r *deliveryRow) delivery() (alert.Delivery, error) {
	d := r.d
	d.CreatedAt, d.NextAt = fromMicros(r.created), fromMicros(r.next)
	d.StartedAt, d.DoneAt = fromMicros(r.started), fromMicros(r.done)
	if r.note == "" {
		return d, nil
	}
	d.Note = &alert.Note{}
	return d, parse(r.note, d.Note)
}
