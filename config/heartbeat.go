package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// keyHeartbeats are the heartbeats that are expected.
const (
	keyHeartbeats      = "ingest.heartbeats"
	keyHeartbeatLabels = keyHeartbeats + ".labels"
)

// heartbeat is one of ingest.heartbeats.
type heartbeat struct {
	name string
	alert.Terms
}

func heartbeatOptions() []option[heartbeat] {
	return []option[heartbeat]{
		opt(spec{key: keyHeartbeats + ".name"}, parseHeartbeatName, func(h *heartbeat, v string) { h.name = v }),
		opt(spec{key: keyHeartbeats + ".every"}, parsePeriod, func(h *heartbeat, v time.Duration) { h.Every = v }),
		opt(spec{key: keyHeartbeats + ".grace"}, parsePeriod, func(h *heartbeat, v time.Duration) { h.Grace = v }),
		opt(spec{key: keyHeartbeats + ".severity"}, oneSeverity(alert.Severities()...), func(h *heartbeat, v alert.Severity) { h.Severity = v }),
		opt(spec{key: keyHeartbeats + ".channel"}, parseChannel, func(h *heartbeat, v string) { h.Channel = v }),
		opt(spec{key: keyHeartbeats + ".mention"}, parseMention, func(h *heartbeat, v string) { h.Mention = v }),
		opt(spec{key: keyHeartbeatLabels, list: true, named: true, bare: true}, parseLabel, func(h *heartbeat, v [2]string) {
			if h.Labels == nil {
				h.Labels = map[string]string{}
			}
			h.Labels[v[0]] = v[1]
		}),
	}
}

func parseHeartbeatName(value string) (string, *flaw) {
	if err := alert.CheckHeartbeatName(value); err != nil {
		return "", &flaw{message: "is not the name of a heartbeat", write: []string{"nightly-backup"}}
	}
	return value, nil
}

func parsePeriod(value string) (time.Duration, *flaw) {
	d, f := parseDuration(value)
	if f == nil && (d < alert.MinEvery || d > alert.MaxEvery) {
		f = &flaw{message: "is not from 1s to 365d", write: []string{"5m", "1d"}}
	}
	return d, f
}

// parseLabel reads name=value.
func parseLabel(value string) ([2]string, *flaw) {
	name, text, ok := strings.Cut(value, "=")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return [2]string{}, &flaw{message: "is not a label", write: []string{"{team: db}", "team=db"}}
	}
	return [2]string{name, strings.TrimSpace(text)}, nil
}

// nameAndValue writes values that have names as parseLabel reads them.
func nameAndValue(g given) given {
	for n, item := range g.items {
		g.items[n] = nameAndValue(item)
	}
	if g.name != "" {
		g.value = g.name + "=" + g.value
	}
	return g
}

// readHeartbeats reads ingest.heartbeats.
func (l *loader) readHeartbeats() {
	var names []string
	for _, s := range l.doc.groups[keyHeartbeats] {
		var one heartbeat
		mistakes := len(l.problems)
		if labels, ok := s.values[keyHeartbeatLabels]; ok {
			s.values[keyHeartbeatLabels] = nameAndValue(labels)
		}
		applyAll(l, heartbeatOptions(), s, &one)
		l.need(s, keyHeartbeats+".name", "it is the last part of the path", "name: nightly-backup")
		l.need(s, keyHeartbeats+".every", "it says how often it is sent", "every: 1d")
		if len(l.problems) > mistakes {
			continue
		}
		if slices.Contains(names, one.name) {
			l.fail(s.at.problem(fmt.Sprintf("%s has the name %s twice", keyHeartbeats, printable(one.name)), "keep one of them"))
			continue
		}
		if l.config.Ingest.Heartbeats == nil {
			l.config.Ingest.Heartbeats = map[string]alert.Terms{}
		}
		l.config.Ingest.Heartbeats[one.name] = one.Terms
		names = append(names, one.name)
	}
	if len(names) > alert.MaxHeartbeats {
		l.fail(l.doc.mentioned[keyHeartbeats].problem(fmt.Sprintf("%s names more than %d", keyHeartbeats, alert.MaxHeartbeats), "keep those that matter"))
	}
	if len(names) > 0 {
		l.doc.values[keyHeartbeats] = given{value: strings.Join(names, listed), origin: l.doc.mentioned[keyHeartbeats]}
	}
}
