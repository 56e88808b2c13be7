package alert

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"
	"unicode/utf8"
)

// The bounds of a digest.
const (
	// TopLines is the most incidents that the digest itself names.
	TopLines = 10
	// MaxMembers is the most incidents in one digest. It bounds how long the store
	// is busy with one, and the memory for its list.
	MaxMembers = 2500
	// ListPage is the most incidents in one reply of the list.
	ListPage = 20
	// ListLongPage is the same for a list that Slack refused as a file.
	ListLongPage = 100
	// ListAsFile is the number of incidents from which the list is a file.
	ListAsFile = 61
	// topValues is the most values that are shown of the label that splits best.
	topValues = 5
	// topCommon is the most labels that a digest says all share.
	topCommon = 5
	// talliedLabels, talliedValues and talliedLength bound what a tally counts: the
	// labels, the values of each, and the characters of both.
	talliedLabels, talliedValues, talliedLength = 50, 200, 100
	// talliedMentions is the most people and groups that a digest pings.
	talliedMentions = 20
)

// Summary is what a digest says about its incidents as they are now. Those that
// have their own card count in Total and Own only.
type Summary struct {
	// ID is the digest's id, as in IncidentFilter; empty if nobody can act on it.
	ID string
	// Total is how many incidents it was made of, Alerts how many firing alerts
	// it counts.
	Total, Alerts int
	// Severities counts the incidents that are not resolved.
	Severities map[Severity]int
	// Acked and Resolved count incidents by state, Own those that have their own
	// card.
	Acked, Resolved, Own int
	// Mention are those whom the digest pings: everybody whom the card of one of
	// its open incidents would ping, once (see ParseMention).
	Mention []string
	// Common are labels that all incidents share, in alphabetical order.
	Common []Share
	// Label splits the incidents best; empty when none does. Values are its most
	// common ones, and Others is how many incidents have none of them.
	Label  string
	Values []Share
	Others int
	// Top are the worst incidents, at most TopLines.
	Top []Line
	// FirstAt and LastAt span the alerts.
	FirstAt, LastAt time.Time
	// Listed is set when the complete list is in the thread. ListTS is its first
	// message, or empty if Slack did not return that.
	Listed bool
	ListTS string
	// Read is set for a delivery of kind List and for a stranded digest. It reads
	// the part of the list that the delivery shows, in order of acceptance: with
	// the texts for a file, which may be several MB, without them for a reply.
	Read func(context.Context) ([]Line, error)
}

// Share is how many incidents have a value. Label is that of the value where it is not said
// otherwise.
type Share struct {
	Label string
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
	// Own is set when it has its own card.
	Own bool
	// Mention are those whom its card pings in the digest's lane.
	Mention []string
}

// over reports whether nobody has to do anything about it any more.
func (l Line) over() bool { return l.State == StateResolved || l.State == StateNotice }

// rank orders lines worst first and resolved ones last.
func (l Line) rank() int {
	if l.over() {
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
	case StateResolved, StateNotice:
		s.Resolved++
	case Acked:
		s.Acked++
	case Open:
		s.Mention = Union(s.Mention, l.Mention)
		s.Mention = s.Mention[:min(len(s.Mention), talliedMentions)]
	}
	if !l.over() {
		s.Severities[l.Severity]++
	}
	if s.FirstAt.IsZero() || l.FirstAt.Before(s.FirstAt) {
		s.FirstAt = l.FirstAt
	}
	if l.LastAt.After(s.LastAt) {
		s.LastAt = l.LastAt
	}
	t.addTop(l)
	t.countLabels(l.Labels)
}

// addTop keeps the line if it is among the worst.
func (t *Tally) addTop(l Line) {
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

func (t *Tally) countLabels(labels map[string]string) {
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
	best := 0.0
	for _, name := range slices.Sorted(maps.Keys(t.labels)) {
		shares := sharesOf(t.labels[name])
		if all := shares[0]; all.Count == s.Total-s.Own && all.Count > 1 && len(s.Common) < topCommon {
			all.Label = name
			s.Common = append(s.Common, all)
		}
		if score := informative(shares, s.Total-s.Own); score > best {
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
		shares = append(shares, Share{Value: value, Count: n})
	}
	slices.SortFunc(shares, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return shares
}

// informative is how much a label says about so many incidents. It is 0 when all have one
// value, or each its own. A label says most if few of many values have most of the
// incidents: that is how far its values are from an even split, in bits. Next to nothing
// is said by a value that almost all have. Of labels that split evenly, the one counts
// for which more pairs of incidents differ in the values that are shown.
func informative(shares []Share, total int) float64 {
	if len(shares) < 2 || shares[0].Count < 2 {
		return 0
	}
	counted := 0
	for _, v := range shares {
		counted += v.Count
	}
	named, same, entropy := 0.0, 0.0, 0.0
	for n, v := range shares {
		p := float64(v.Count) / float64(counted)
		entropy -= p * math.Log2(p)
		if n < topValues {
			named += p
			same += p * p
		}
	}
	const (
		enough = 0.5 // bits: about nine of ten have the same value
		split  = 0.2
	)
	uneven := (math.Log2(float64(len(shares))) - entropy) * min(1, entropy/enough)
	return (uneven + split*(named*named-same)) * float64(counted) / float64(total)
}
