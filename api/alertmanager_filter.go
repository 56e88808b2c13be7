package api

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tocsin/alert"
)

// amFilterMatchers reads the parameters filter: each is a matcher as Alertmanager reads it, or
// several as Tocsin does.
func amFilterMatchers(q url.Values) (alert.Matchers, error) {
	var all alert.Matchers
	for _, text := range q["filter"] {
		m, one, err := amParse(text)
		if err != nil {
			return nil, err
		}
		if one {
			all = append(all, m)
			continue
		}
		matchers, err := alert.ParseMatchers(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "{"), "}"))
		if err != nil {
			return nil, err
		}
		if len(matchers) == 0 {
			return nil, &httpError{http.StatusBadRequest, "bad matcher format: " + text, `write for example alertname="DiskFull"`}
		}
		all = append(all, matchers...)
	}
	return all, nil
}

// amOneMatcher is a matcher of Alertmanager's: a name, possibly in quotes, an operator, and a
// value that may be anything, possibly in quotes.
var amOneMatcher = regexp.MustCompile(`^\s*("(?:[^"\\]|\\.)*"|[^\s"{},=!~<>]+)\s*(=~|!=|!~|=)\s*((?s).*?)\s*$`)

// amParse reads one matcher as Alertmanager does. one is false if the text is not a matcher, or
// has commas and may be several. A matcher on severity compares with the label as it was sent.
func amParse(text string) (m alert.Matcher, one bool, err error) {
	parts := amOneMatcher.FindStringSubmatch(text)
	if parts == nil || !alert.ValidText(text) {
		return m, false, nil
	}
	name, value := parts[1], parts[3]
	if strings.HasPrefix(name, `"`) {
		if name, err = strconv.Unquote(name); err != nil || !alert.ValidText(name) {
			return m, false, nil //nolint:nilerr // Tocsin's own reader says what is wrong
		}
	}
	if unquoted, err := strconv.Unquote(value); err == nil && strings.HasPrefix(value, `"`) {
		value = unquoted
	} else if strings.ContainsAny(value, `",`) {
		return m, false, nil
	}
	if name == severityLabel {
		name = labelPrefix + name
	}
	m, err = alert.NewMatcher(name, parts[2], value)
	return m, true, err
}

// amMatch reports whether labels match all conditions. Severities are compared as they were
// sent, but by Tocsin's own operators and lists as Tocsin reads them.
func amMatch(matchers alert.Matchers, labels map[string]string) bool {
	for _, m := range matchers {
		s := alert.Subject{Source: labels["source"], Key: labels["key"], Title: labels["title"], Channel: labels["channel"], Labels: labels}
		if m.Name == severityLabel {
			s.Severity, _ = alert.ParseSeverity(labels[severityLabel])
		}
		if !m.Match(s) {
			return false
		}
	}
	return true
}

// amPlaceOf is the group that an incident is, as that of its alerts.
func (a *API) amPlaceOf(i alert.Incident) amPlace {
	in := amPlace{labels: map[string]string{}, receivers: amReceiversOf(i)}
	if i.Group != nil {
		in.labels, in.key = i.Group.LabelNames(), i.Route+" "+i.Key
		return in
	}
	in.alone = slices.ContainsFunc(a.opts.Routing.Routes, func(r alert.Route) bool {
		return r.Name == i.Route && slices.Contains(r.GroupBy, alert.AllLabels)
	})
	return in
}

// of is the group of one of its alerts.
func (in amPlace) of(one amAlert) amPlace {
	if in.alone {
		in.labels, in.key = one.Labels, one.Fingerprint
	}
	return in
}

func amReceiversOf(i alert.Incident) (all []amReceiver) {
	for _, lane := range i.Lanes {
		all = append(all, amReceiver{lane})
	}
	return all
}

// compareAMLabels orders labels as Alertmanager does: fewer first, then by the first name that
// only one has or whose values differ. What lacks the name comes first.
func compareAMLabels(a, b map[string]string) int {
	if order := cmp.Compare(len(a), len(b)); order != 0 {
		return order
	}
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x, inA := a[name]
		y, inB := b[name]
		switch order := cmp.Compare(x, y); {
		case !inA:
			return -1
		case !inB:
			return 1
		case order != 0:
			return order
		}
	}
	return 0
}
