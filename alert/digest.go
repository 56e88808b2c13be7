package alert

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// The bounds of a digest.
const (
	// TopLines is how many incidents a digest names itself.
	TopLines = 10
	// ListPage is how many incidents one reply with a part of the list names.
	ListPage = 20
	// ListLongPage is the same for a list that was to be a file.
	ListLongPage = 100
	// ListAsFile is from how many incidents on the list is a file.
	ListAsFile = 61
	// topValues is how many values of the label that splits best are counted.
	topValues = 5
	// talliedLabels, talliedValues and talliedLength bound what a tally counts.
	talliedLabels, talliedValues, talliedLength = 50, 200, 100
	// talliedMentions bounds whom a digest pings.
	talliedMentions = 20
)

// Summary is what a digest says about its incidents, as they stand now. One that
// has got a card of its own is told about there: but for Total and Own, the
// digest counts the others.
type Summary struct {
	// Total is how many incidents it was made of, Alerts how many firing alerts
	// it counts.
	Total, Alerts int
	// Severities counts the incidents that are not resolved.
	Severities map[Severity]int
	// Acked and Resolved count incidents by state, Own those that have got a
	// card of their own since.
	Acked, Resolved, Own int
	// Mention are who is pinged by the digest: each of those whom the card of an
	// open incident of it would have pinged, once (see ParseMention).
	Mention []string
	// Label splits the incidents best; empty when none does. Values are its most
	// common ones, and Others is how many incidents have none of them.
	Label  string
	Values []Share
	Others int
	// Top are the worst incidents, at most TopLines.
	Top []Line
	// FirstAt and LastAt span the alerts.
	FirstAt, LastAt time.Time
	// Listed is set when the complete list stands in the thread, ListTS is the
	// message that it begins with, or empty where Slack does not say.
	Listed bool
	ListTS string
	// Read is set for a delivery of kind List, and for what is Stranded. It reads
	// the part of the complete list that this one shows, in order of acceptance:
	// with text for a file, which may be some MB, without for a reply.
	Read func(context.Context) ([]Line, error)
}

// Share is how many incidents have a value.
type Share struct {
	Value string
	Count int
}

// Line is an incident in a list.
type Line struct {
	ID       string
	Severity Severity
	State    State
	Source   string
	Title    string
	Text     string
	Labels   map[string]string
	Links    []Link
	Count    int
	FirstAt  time.Time
	LastAt   time.Time
	// Own is set when it has a card of its own.
	Own bool
	// Mention are who is pinged by its card in the digest's lane.
	Mention []string
}

// rank orders lines worst first; what is resolved comes last.
func (l Line) rank() int {
	if l.State == StateResolved {
		return len(Severities()) + 1
	}
	return l.Severity.Rank()
}

// Tally counts lines into a Summary, in bounded memory.
type Tally struct {
	sum    Summary
	labels map[string]map[string]int
}

// Add counts one incident.
func (t *Tally) Add(l Line) {
	s := &t.sum
	if s.Severities == nil {
		s.Severities, t.labels = map[Severity]int{}, map[string]map[string]int{}
	}
	s.Total++
	if l.Own {
		s.Own++
		return
	}
	s.Alerts += l.Count
	switch l.State {
	case StateResolved:
		s.Resolved++
	case Acked:
		s.Acked++
	case Open:
		s.Mention = Union(s.Mention, l.Mention)
		s.Mention = s.Mention[:min(len(s.Mention), talliedMentions)]
	}
	if l.State != StateResolved {
		s.Severities[l.Severity]++
	}
	if s.FirstAt.IsZero() || l.FirstAt.Before(s.FirstAt) {
		s.FirstAt = l.FirstAt
	}
	if l.LastAt.After(s.LastAt) {
		s.LastAt = l.LastAt
	}
	t.rise(l)
	t.split(l.Labels)
}

// rise keeps the line if it is among the worst.
func (t *Tally) rise(l Line) {
	top := t.sum.Top
	at := len(top)
	for at > 0 && top[at-1].rank() > l.rank() {
		at--
	}
	if at < TopLines {
		top = slices.Insert(top, at, l)
		t.sum.Top = top[:min(len(top), TopLines)]
	}
}

func (t *Tally) split(labels map[string]string) {
	for name, value := range labels {
		if utf8.RuneCountInString(name) > talliedLength || utf8.RuneCountInString(value) > talliedLength || value == "" {
			continue
		}
		values := t.labels[name]
		if values == nil {
			if len(t.labels) == talliedLabels {
				continue
			}
			values = map[string]int{}
			t.labels[name] = values
		}
		if _, known := values[value]; known || len(values) < talliedValues {
			values[value]++
		}
	}
}

// Summary returns what was counted.
func (t *Tally) Summary() Summary {
	s := t.sum
	best := 0
	for _, name := range slices.Sorted(maps.Keys(t.labels)) {
		shares := sharesOf(t.labels[name])
		if score := t.score(shares); score > best {
			best = score
			s.Label, s.Values = name, shares[:min(len(shares), topValues)]
		}
	}
	if s.Label != "" {
		s.Others = s.Total - s.Own
		for _, v := range s.Values {
			s.Others -= v.Count
		}
	}
	return s
}

// sharesOf lists values, the most common first.
func sharesOf(values map[string]int) []Share {
	shares := make([]Share, 0, len(values))
	for value, n := range values {
		shares = append(shares, Share{value, n})
	}
	slices.SortFunc(shares, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return shares
}

// score says how well values split the incidents: how many pairs of incidents
// they tell apart by the few values that are shown. One value for all splits
// nothing, and neither does a value of its own for each.
func (t *Tally) score(shares []Share) int {
	if len(shares) < 2 || shares[0].Count < 2 {
		return 0
	}
	named, same := 0, 0
	for _, v := range shares[:min(len(shares), topValues)] {
		named += v.Count
		same += v.Count * v.Count
	}
	return named*named - same
}
