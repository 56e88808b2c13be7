package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"tocsin/alert"
)

// dueMembers bounds how many due members one query returns of all groups.
const dueMembers = 10 * alert.MaxDueMembers

const memberColumns = "id, incident, key, n, rank, severity, began_at, last_at, ended_at, expires_at, silence, silenced_until, closed, due_at, body"

// The queries about members; each seeks in one index. A rank below 6 is that of a member
// that fires, below 4 if nothing hides it, a rank of 4 that of one that is inhibited
// (alert.GroupMember.Rank). One that has no number was inhibited whenever it fired.
const (
	memberSelect = `SELECT i.id, m.n, m.rank, m.severity, m.began_at, m.last_at, m.ended_at, m.expires_at, m.silence, m.silenced_until, m.closed, m.due_at, m.body
		FROM members m JOIN incidents i ON i.n = m.incident`
	namedMembersQuery  = memberSelect + ` WHERE m.id {oneofnumbers}`
	firingMembersQuery = memberSelect + ` WHERE m.key {oneofnumbers} AND m.rank < 6`
	dueMembersQuery    = memberSelect + ` WHERE m.incident = (SELECT n FROM incidents WHERE id = ?) AND m.due_at <> 0 ORDER BY m.due_at LIMIT ?`
	worstMembersQuery  = memberSelect + ` WHERE m.incident = (SELECT n FROM incidents WHERE id = ?) AND (+m.n > 0 OR m.rank = 4)
		ORDER BY m.rank, m.n LIMIT ? OFFSET ?`
	cardMembersQuery = memberSelect + ` WHERE m.incident = (SELECT n FROM incidents WHERE id = ?) AND +m.n > 0 AND m.rank <> ?
		ORDER BY m.rank, m.n LIMIT ?`
	firingOfQuery     = memberSelect + ` WHERE m.incident = (SELECT n FROM incidents WHERE id = ?) AND m.rank < 6`
	listedFiringQuery = memberSelect + ` WHERE m.incident = (SELECT n FROM incidents WHERE id = ?) AND m.rank < 4 ORDER BY m.rank, m.n LIMIT ?`
	listedOverQuery   = memberSelect + ` WHERE m.incident = (SELECT n FROM incidents WHERE id = ?) AND m.rank = 6 AND +m.n > 0 ORDER BY m.n DESC LIMIT ?`
	laterMembersQuery = memberSelect + ` WHERE m.incident = (SELECT n FROM incidents WHERE id = ?) AND m.n > ? AND m.n <= ? AND m.rank <> ? ORDER BY m.n`

	closeMembersQuery = `UPDATE members SET rank = 6, closed = 1, ended_at = ?, silence = '', silenced_until = 0, due_at = 0
		WHERE incident = ? AND rank < 6`
	reopenMembersQuery = `UPDATE members SET rank = severity, closed = 0, ended_at = 0, due_at = ?
		WHERE incident = ? AND rank = 6 AND closed = 1`
	// wakeMembersQuery and wakeGroupsQuery make members due when their silence ends, and
	// their incidents.
	wakeMembersQuery = `UPDATE members SET silenced_until = ?, due_at = ? WHERE silence = ? AND silence <> '' AND silenced_until > ?`
	wakeGroupsQuery  = `UPDATE incidents SET due_at = ?, version = version + 1
		WHERE n IN (SELECT incident FROM members WHERE silence = ? AND silence <> '') AND (due_at = 0 OR due_at > ?)`
	// lookInhibitedQuery and lookFiringQuery have members looked at: those that an incident
	// inhibits, and those of a group that nothing hides.
	lookInhibitedQuery = `UPDATE members SET due_at = ? WHERE silence = ? AND silence <> ''`
	lookFiringQuery    = `UPDATE members SET due_at = ? WHERE incident = (SELECT n FROM incidents WHERE id = ?) AND rank < 4`

	// The queries about what inhibits others, which are asked at the start: what fires in
	// groups, and its incidents.
	firingSourcesQuery = memberSelect + ` WHERE m.rank < 6 ORDER BY m.incident, m.n`
	firingGroupsQuery  = `SELECT ` + withCards + ` FROM incidents i` + incidentCards + `WHERE i.n IN (SELECT incident FROM members WHERE rank < 6) ORDER BY i.n`
)

// memberBody is what of a member no query looks into.
type memberBody struct {
	Key     string            `json:"key"`
	Title   string            `json:"title"`
	Text    string            `json:"text,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Links   []alert.Link      `json:"links,omitempty"`
	Count   int               `json:"count,omitempty"`
	Expired bool              `json:"expired,omitempty"`
	// Annotations are as in alertBody.
	Annotations map[string]string `json:"annotations,omitzero"`
}

// groupBody is an alert.Group as it is stored with its incident. Times are microseconds.
type groupBody struct {
	Labels      map[string]string      `json:"labels,omitempty"`
	Total       int                    `json:"total"`
	Firing      map[alert.Severity]int `json:"firing,omitempty"`
	Silenced    map[alert.Severity]int `json:"silenced,omitempty"`
	Inhibited   map[alert.Severity]int `json:"inhibited,omitempty"`
	Withdrawn   int                    `json:"withdrawn,omitempty"`
	Closed      map[alert.Severity]int `json:"closed,omitempty"`
	SilencedBy  string                 `json:"silenced_by,omitempty"`
	InhibitedBy string                 `json:"inhibited_by,omitempty"`
	Titles      bool                   `json:"titles,omitempty"`
	Texts       bool                   `json:"texts,omitempty"`
	Latest      map[string]string      `json:"latest,omitempty"`
	Said        int                    `json:"said,omitempty"`
	Ended       int                    `json:"ended,omitempty"`
	Again       int                    `json:"again,omitempty"`
	SaidAt      int64                  `json:"said_at,omitempty"`
	SayAt       int64                  `json:"say_at,omitempty"`
	DueAt       int64                  `json:"due_at,omitempty"`
	Plain       *alert.Wording         `json:"plain,omitempty"`
}

func encodeGroup(g *alert.Group) *groupBody {
	if g == nil {
		return nil
	}
	return &groupBody{
		g.Labels, g.Total, g.Firing, g.Silenced, g.Inhibited, g.Withdrawn, g.Closed, g.SilencedBy, g.InhibitedBy, g.Titles, g.Texts, g.Latest, g.Said, g.Ended, g.Again,
		micros(g.SaidAt), micros(g.SayAt), micros(g.DueAt), g.Plain,
	}
}

// group reads what encodeGroup wrote.
func (b *groupBody) group() *alert.Group {
	if b == nil {
		return nil
	}
	return &alert.Group{
		Labels: b.Labels, Total: b.Total, Firing: b.Firing, Silenced: b.Silenced, Inhibited: b.Inhibited, Withdrawn: b.Withdrawn,
		Closed: b.Closed, SilencedBy: b.SilencedBy, InhibitedBy: b.InhibitedBy,
		Titles: b.Titles, Texts: b.Texts, Latest: b.Latest, Said: b.Said, Ended: b.Ended, Again: b.Again,
		SaidAt: fromMicros(b.SaidAt), SayAt: fromMicros(b.SayAt), DueAt: fromMicros(b.DueAt), Plain: b.Plain,
	}
}

// memberID is the number of a member, for which keyHash's chance of a collision applies.
func memberID(incident, key string) int64 { return keyHash(incident + "\x00" + key) }

func encodeMember(m alert.GroupMember) (string, error) {
	text, err := document(false, memberBody{m.Key, m.Title, m.Text, m.Labels, m.Links, m.Count, m.Expired, m.Annotations})
	if err != nil {
		return "", fmt.Errorf("write member: %w", err)
	}
	return text, nil
}

func scanMember(s scanner) (m alert.GroupMember, err error) {
	var rank, severity, began, last, ended, expires, until, closed, due int64
	var hiddenBy, body string
	err = s.Scan(&m.Incident, &m.N, &rank, &severity, &began, &last, &ended, &expires, &hiddenBy, &until, &closed, &due, &body)
	if err != nil {
		return m, err
	}
	var b memberBody
	err = parse(body, &b)
	m.Key, m.Title, m.Text, m.Labels, m.Links, m.Count, m.Expired = b.Key, b.Title, b.Text, b.Labels, b.Links, b.Count, b.Expired
	m.Annotations = b.Annotations
	if m.Status = alert.Firing; int(rank) == alert.RankOver() {
		m.Status = alert.Resolved
	}
	if all := alert.Severities(); severity >= 0 && int(severity) < len(all) {
		m.Severity = all[severity]
	}
	m.BeganAt, m.LastAt, m.EndedAt, m.ExpiresAt = fromMicros(began), fromMicros(last), fromMicros(ended), fromMicros(expires)
	m.SilencedUntil, m.Closed = fromMicros(until), closed != 0
	if alert.IsSilenceID(hiddenBy) {
		m.Silence = hiddenBy
	} else {
		m.InhibitedBy = hiddenBy
	}
	if at := fromMicros(due); !at.Equal(m.DueAt()) {
		m.LookAt = at
	}
	return m, err
}

func (d *DB) members(ctx context.Context, query string, args ...any) ([]alert.GroupMember, error) {
	var found []alert.GroupMember
	err := d.each(ctx, query, func(s scanner) error {
		m, err := scanMember(s)
		found = append(found, m)
		return err
	}, args...)
	return found, err
}

// GroupMembers lists members of an incident, worst first. Those that fire come before those that
// are inhibited, those that a silence hides, and the resolved ones.
func (d *DB) GroupMembers(ctx context.Context, incident string, offset, limit int) ([]alert.GroupMember, error) {
	found, err := d.members(ctx, worstMembersQuery, incident, limit, offset)
	if err != nil {
		return nil, fmt.Errorf("list members of %s: %w", incident, err)
	}
	return found, nil
}

// loadMembers adds the members that a query is about to its answer, with the incidents of
// those that fire.
func (d *DB) loadMembers(ctx context.Context, f *alert.Snapshot, q alert.Query) error {
	if !d.grouped.Load() {
		return nil
	}
	if err := d.loadNamedMembers(ctx, f, q.Members); err != nil {
		return err
	}
	if err := d.loadFiringMembers(ctx, f, q.Keys); err != nil {
		return err
	}
	if q.Due || len(q.IDs) > 0 {
		if err := d.loadDueMembers(ctx, f, q); err != nil {
			return err
		}
	}
	if !q.Listed {
		return nil
	}
	return d.loadListedMembers(ctx, f)
}

// loadListedMembers adds the members that templates see, once each. A decision may change
// the others that were loaded, so there are as many more.
func (d *DB) loadListedMembers(ctx context.Context, f *alert.Snapshot) error {
	type ref struct{ incident, key string }
	known, loaded := map[ref]bool{}, map[string]int{}
	for _, m := range f.Members {
		if at := (ref{m.Incident, m.Key}); !known[at] {
			known[at] = true
			loaded[m.Incident]++
		}
	}
	for _, i := range f.Incidents {
		if i.Group == nil {
			continue
		}
		for _, query := range []string{listedFiringQuery, listedOverQuery} {
			found, err := d.members(ctx, query, i.ID, alert.TemplateMembers+loaded[i.ID])
			if err != nil {
				return err
			}
			for _, m := range found {
				if !known[ref{m.Incident, m.Key}] {
					f.Members = append(f.Members, m)
				}
			}
		}
	}
	return nil
}

func (d *DB) loadNamedMembers(ctx context.Context, f *alert.Snapshot, asked []alert.MemberKey) error {
	groups := map[string][]string{} // ids of incidents by key
	for _, i := range f.Incidents {
		if i.Group != nil {
			groups[i.Key] = append(groups[i.Key], i.ID)
		}
	}
	var ids []int64
	for _, m := range asked {
		for _, incident := range groups[m.Group] {
			ids = append(ids, memberID(incident, m.Key))
		}
	}
	return d.addMembers(ctx, f, namedMembersQuery, ids)
}

func (d *DB) addMembers(ctx context.Context, f *alert.Snapshot, query string, numbers []int64) error {
	if len(numbers) == 0 {
		return nil
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	found, err := d.members(ctx, query, string(list))
	f.Members = append(f.Members, found...)
	return err
}

// loadFiringMembers adds the firing members with one of these keys, whatever their group.
func (d *DB) loadFiringMembers(ctx context.Context, f *alert.Snapshot, keys []string) error {
	hashes := make([]int64, len(keys))
	for n, key := range keys {
		hashes[n] = keyHash(key)
	}
	before := len(f.Members)
	if err := d.addMembers(ctx, f, firingMembersQuery, hashes); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, i := range f.Incidents {
		known[i.ID] = true
	}
	var missing []string
	for _, m := range f.Members[before:] {
		if !known[m.Incident] {
			known[m.Incident], missing = true, append(missing, m.Incident)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	list, err := json.Marshal(missing)
	if err != nil {
		return err
	}
	return d.addIncidents(ctx, f, namedQuery, string(list))
}

// loadDueMembers adds the due members of the groups that are due. When there are too many,
// the last groups are left out: they stay due.
func (d *DB) loadDueMembers(ctx context.Context, f *alert.Snapshot, q alert.Query) error {
	left := dueMembers
	kept := f.Incidents[:0]
	for _, i := range f.Incidents {
		if i.Group != nil && !i.DueAt.IsZero() && !i.DueAt.After(q.Now) {
			if left <= 0 {
				continue
			}
			found, err := d.members(ctx, dueMembersQuery, i.ID, alert.MaxDueMembers+1)
			if err != nil {
				return err
			}
			f.Members = append(f.Members, found...)
			left -= len(found)
		}
		kept = append(kept, i)
	}
	f.Incidents = kept
	return nil
}

// writeMembers writes members, after those changes that concern all of a group.
func (c *changeWriter) writeMembers(ctx context.Context) error {
	for _, t := range c.Turned {
		query, args := closeMembersQuery, []any{micros(t.At), c.known[t.Incident].n}
		if t.Status == alert.Firing {
			query = reopenMembersQuery
		}
		if _, err := c.w.exec(ctx, query, args...); err != nil {
			return err
		}
	}
	if err := c.insertMembers(ctx); err != nil {
		return err
	}
	return c.wakeMembers(ctx)
}

func (c *changeWriter) insertMembers(ctx context.Context) error {
	if len(c.Members) == 0 {
		return nil
	}
	c.w.grouped.Store(true)
	args := make([]any, 0, 15*len(c.Members))
	for n := range c.Members {
		m := &c.Members[n]
		args = append(args, memberID(m.Incident, m.Key), c.known[m.Incident].n, keyHash(m.Key), m.N, m.Rank(), m.Severity.Rank(),
			micros(m.BeganAt), micros(m.LastAt), micros(m.EndedAt), micros(m.ExpiresAt), cmp.Or(m.Silence, m.InhibitedBy), micros(m.SilencedUntil), number(m.Closed),
			micros(m.DueAt()), c.memberTexts[n])
	}
	return c.w.insert(ctx, c.w.into.members, args)
}

// wakeMembers makes members due that are to be looked at, and their groups.
func (c *changeWriter) wakeMembers(ctx context.Context) error {
	for _, wake := range c.Woken {
		at := micros(wake.At)
		if wake.Incident != "" {
			if _, err := c.w.exec(ctx, lookFiringQuery, at, wake.Incident); err != nil {
				return err
			}
			continue
		}
		if _, err := c.w.exec(ctx, lookInhibitedQuery, at, wake.By); err != nil {
			return err
		}
		if _, err := c.w.exec(ctx, wakeGroupsQuery, at, wake.By, at); err != nil {
			return err
		}
	}
	return nil
}

// loadSourceMembers adds the members of groups that inhibit others, with their incidents.
func (d *DB) loadSourceMembers(ctx context.Context, f *alert.Snapshot, sources []alert.Matchers) error {
	if !d.grouped.Load() {
		return nil
	}
	groups, err := d.incidents(ctx, firingGroupsQuery)
	if err != nil {
		return err
	}
	f.Sources = unite(f.Sources, groups)
	byID := make(map[string]alert.Incident, len(groups))
	for _, i := range groups {
		byID[i.ID] = i
	}
	return d.each(ctx, firingSourcesQuery, func(s scanner) error {
		m, err := scanMember(s)
		subject := f.Aliases.Subject(m.Subject(byID[m.Incident]))
		if slices.ContainsFunc(sources, func(ms alert.Matchers) bool { return ms.Match(subject) }) {
			m.Text, m.Links = "", nil // there may be many of them
			f.SourceMembers = append(f.SourceMembers, m)
		}
		return err
	})
}

// showMembers adds what a job shows of the members of a group, as they are now, which may
// be newer than the claim. Those that are inhibited are left out unless all that fire are: a
// card or a list has to name something.
func (d *DB) showMembers(ctx context.Context, job *alert.Job) (err error) {
	if job.Incident.Group == nil {
		return nil
	}
	const inhibited, nothing = 4, -1
	leftOut := inhibited
	if job.Incident.InhibitedBy != "" {
		leftOut = nothing
	}
	switch {
	case !job.Kind.InThread():
		top := &job.Incident.Group.Top
		*top, err = d.members(ctx, cardMembersQuery, job.Incident.ID, leftOut, alert.CardMembers)
		if err == nil && len(*top) == 0 { // all have been inhibited since the claim
			*top, err = d.members(ctx, cardMembersQuery, job.Incident.ID, nothing, alert.CardMembers)
		}
	case job.Note != nil && slices.Contains([]alert.Topic{alert.TopicMembers, alert.TopicMemberFile}, job.Note.Topic):
		note := *job.Note
		job.Members = func(ctx context.Context) ([]alert.GroupMember, error) {
			return d.members(ctx, laterMembersQuery, job.Incident.ID, note.From, note.From+note.Count, leftOut)
		}
	}
	return err
}
