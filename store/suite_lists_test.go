package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"tocsin/alert"
)

// readList reads what a list shows.
func readList(t *testing.T, j alert.Job) []alert.Line {
	t.Helper()
	lines, err := j.Digest.Read(t.Context())
	must(t, err)
	return lines
}

// wordy commits n alerts of 100 kB each, and returns the last.
func wordy(t *testing.T, d *DB, n int) (last alert.Incident) {
	t.Helper()
	for k := range n {
		last = incident(fmt.Sprintf("wordy-%03d", k), "#db", 1)
		last.Text, last.Source, last.Links = strings.Repeat("x", 100_000), "probe", []alert.Link{{Label: "Runbook", URL: "https://wiki/disk"}}
		last.Labels = map[string]string{strings.Repeat("n", 200): strings.Repeat("v", 4000)}
		for l := range 40 {
			last.Labels[fmt.Sprint("label-", l)] = "value"
		}
		commit(t, d, fire(last))
	}
	return last
}

func testDigestFiles(t *testing.T, d *DB) {
	const n = 100
	last := wordy(t, d, n)
	deliver(t, d, claimDigest(t, d, 10, alert.Digest), 10)
	refused := claimDigest(t, d, 11, alert.List)
	first := len(readList(t, refused))
	if refused.Note.Topic != alert.TopicFile || first < 30 || first > 50 {
		t.Errorf("the first file lists %d: %+v", first, refused.Note)
	}
	o := outcome(refused, alert.Pending, at(11))
	o.Plain, o.NextAt = true, at(11) // Slack refuses files now
	must(t, d.Finish(t.Context(), o))
	var listed []alert.Line
	for files := 0; files < 2; files++ {
		j := claimDigest(t, d, 12, alert.List)
		if j.Note.Topic != alert.TopicFile || j.Note.From != first+len(listed) {
			t.Errorf("file %d is %+v", files+2, j.Note)
		}
		listed = append(listed, readList(t, j)...)
		deliver(t, d, j, 12)
	}
	got := listed[len(listed)-1]
	if got.ID != last.ID || got.Text != last.Text || got.Source != last.Source || !maps.Equal(got.Labels, last.Labels) || !slices.Equal(got.Links, last.Links) {
		t.Errorf("the last one is listed as %.200v", got)
	}
	text := claimDigest(t, d, 13, alert.List)
	if lines := readList(t, text); text.Note.Topic != alert.TopicList || len(lines) != first || len(listed)+first != n || lines[0].Text != "" {
		t.Errorf("what was refused is listed as %+v", text.Note)
	}
	deliver(t, d, text, 13)
	if got := drain(t, d, 14); got != "update " {
		t.Errorf("then came %s", got)
	}
}

func testDigestLeftForAnother(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 8)
	drain(t, d, 10)
	for k := range 6 {
		happen(t, d, fmt.Sprint("error-", k), worsen)
	}
	deliver(t, d, claimDigest(t, d, 20, alert.Digest), 20)
	for edits := 0; ; {
		j, _, err := d.Claim(t.Context(), digestClaim(21))
		must(t, err)
		if j.ID == "" {
			if edits == 0 {
				t.Error("the first digest was not edited")
			}
			return
		}
		if j.Kind == alert.Update && j.Digest.Total == 8 {
			edits++
			if j.Digest.Own != 6 || j.Digest.Severities[alert.Error] != 2 || j.Digest.Severities[alert.Critical] != 0 {
				t.Errorf("the first digest counts %+v", j.Digest)
			}
		}
		deliver(t, d, j, 21)
	}
}

func testOldestDelivery(t *testing.T, d *DB) {
	if at, err := d.OldestDelivery(t.Context(), "#db"); err != nil || !at.IsZero() {
		t.Errorf("of an unknown lane it is %v, %v", at, err)
	}
	quiet, urgent := incident("a", "#db", 1), incident("b", "#db", 1)
	urgent.Severity = alert.Critical
	for n, i := range []alert.Incident{quiet, urgent} {
		c := fire(i)
		c.Deliveries[0].CreatedAt = at(n)
		commit(t, d, c)
	}
	for n := range 2 { // the critical goes first, the other remains the oldest
		if got, err := d.OldestDelivery(t.Context(), "#db"); err != nil || !got.Equal(at(0)) {
			t.Errorf("the oldest delivery is of %v, %v", got, err)
		}
		finish(t, d, claim(t, d, "#db", at(10+n)), alert.Delivered, at(10+n))
	}
	if got, err := d.OldestDelivery(t.Context(), "#db"); err != nil || !got.IsZero() {
		t.Errorf("with everything delivered it is %v, %v", got, err)
	}
	_, err := d.Receive(t.Context(), alert.Envelope{ID: "e", Type: "interactive", ReceivedAt: at(0)})
	must(t, err)
	if n, err := d.CountUnhandled(t.Context()); err != nil || n != 1 {
		t.Errorf("unhandled are %d, %v", n, err)
	}
}
