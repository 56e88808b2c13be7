package alert

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// labelled is an incident whose id and labels are in a text: b234 severity=critical cluster=a.
func labelled(text string) Incident {
	words := strings.Fields(text)
	i := Incident{ID: words[0], Key: "key of " + words[0], Title: "title of " + words[0], State: Open, Severity: Error, Labels: map[string]string{}}
	for _, word := range words[1:] {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "severity":
			i.Severity = Severity(value)
		case "state":
			i.State = State(value)
		case "key":
			i.Key = value
		default:
			i.Labels[name] = value
		}
	}
	return i
}

func ruleOf(t testing.TB, source, target string, equal ...string) InhibitRule {
	t.Helper()
	r := InhibitRule{Equal: equal}
	for text, ms := range map[string]*Matchers{source: &r.Source, target: &r.Target} {
		var err error
		if *ms, err = ParseMatchers(text); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestAnAlertIsInhibitedAsByAlertmanager(t *testing.T) {
	critical := ruleOf(t, `severity="critical"`, `severity=~"warning|info"`, "cluster", "service")
	both := ruleOf(t, `team="a"`, `env="prod"`)
	for name, c := range map[string]struct {
		rules   []InhibitRule
		sources []string
		target  string
		want    string
	}{
		"equal labels":                     {[]InhibitRule{critical}, []string{"b234 severity=critical cluster=a service=x"}, "b235 severity=warning cluster=a service=x", "b234"},
		"one label differs":                {[]InhibitRule{critical}, []string{"b234 severity=critical cluster=a service=x"}, "b235 severity=warning cluster=b service=x", ""},
		"missing equals missing":           {[]InhibitRule{critical}, []string{"b234 severity=critical cluster=a"}, "b235 severity=warning cluster=a", "b234"},
		"missing equals empty":             {[]InhibitRule{critical}, []string{"b234 severity=critical cluster=a service="}, "b235 severity=warning cluster=a", "b234"},
		"missing does not equal a value":   {[]InhibitRule{critical}, []string{"b234 severity=critical cluster=a"}, "b235 severity=warning cluster=a service=x", ""},
		"values do not run together":       {[]InhibitRule{critical}, []string{"b234 severity=critical cluster=a service=bc"}, "b235 severity=warning cluster=ab service=c", ""},
		"the target does not match":        {[]InhibitRule{critical}, []string{"b234 severity=critical"}, "b235 severity=error", ""},
		"the source does not match":        {[]InhibitRule{critical}, []string{"b234 severity=error"}, "b235 severity=warning", ""},
		"an acknowledged source":           {[]InhibitRule{critical}, []string{"b234 severity=critical state=acked"}, "b235 severity=warning", "b234"},
		"a resolved source":                {[]InhibitRule{critical}, []string{"b234 severity=critical", "b234 severity=critical state=resolved"}, "b235 severity=warning", ""},
		"a source that got less severe":    {[]InhibitRule{critical}, []string{"b234 severity=critical", "b234 severity=error"}, "b235 severity=warning", ""},
		"no equal labels":                  {[]InhibitRule{both}, []string{"b234 team=a"}, "b235 env=prod", "b234"},
		"both match both":                  {[]InhibitRule{both}, []string{"b234 team=a env=prod"}, "b235 team=a env=prod", ""},
		"the target matches both":          {[]InhibitRule{both}, []string{"b234 team=a"}, "b235 team=a env=prod", "b234"},
		"the source matches both":          {[]InhibitRule{both}, []string{"b234 team=a env=prod"}, "b235 env=prod", "b234"},
		"itself":                           {[]InhibitRule{both}, []string{"b234 team=a env=prod"}, "b234 team=a env=prod", ""},
		"its key in another route":         {[]InhibitRule{both}, []string{"b234 team=a key=k"}, "b235 env=prod key=k", ""},
		"the oldest of several":            {[]InhibitRule{both}, []string{"b23b team=a env=prod", "b239 team=a", "b238 team=a env=prod"}, "b237 env=prod", "b238"},
		"the oldest that may":              {[]InhibitRule{both}, []string{"b239 team=a", "b238 team=a env=prod"}, "b237 team=a env=prod", "b239"},
		"a longer id is younger":           {[]InhibitRule{both}, []string{"b2222 team=a", "z999 team=a"}, "z998 env=prod", "z999"},
		"the first rule goes before":       {[]InhibitRule{both, critical}, []string{"b234 severity=critical", "b235 team=a"}, "b236 env=prod severity=info", "b235"},
		"the second rule":                  {[]InhibitRule{both, critical}, []string{"b234 severity=critical"}, "b236 env=prod severity=info", "b234"},
		"without rules":                    {nil, []string{"b234 severity=critical"}, "b235 severity=warning", ""},
		"fields of the alert can be equal": {[]InhibitRule{ruleOf(t, `severity="critical"`, `severity="info"`, "title")}, []string{"b234 severity=critical"}, "b235 severity=info", ""},
	} {
		x := NewInhibition(c.rules)
		for _, text := range c.sources {
			x.Set(labelled(text), nil)
		}
		by, inhibited := x.Of(labelled(c.target).Subject(), "")
		if by.ID != c.want || inhibited != (c.want != "") {
			t.Errorf("%s: it is inhibited by %q, want %q", name, by.ID, c.want)
		}
		if inhibited && by.String() != "inhibited by "+c.want+" (title of "+c.want+")" {
			t.Errorf("%s: it is %q", name, by)
		}
	}
}

// groupOf is the incident of a group, whose members have the labels and keys of the texts.
func groupOf(x *Inhibition, id string, texts ...string) Incident {
	i := Incident{ID: id, Key: "{}", Title: "group", State: Open, Group: &Group{Total: len(texts)}}
	for n, text := range texts {
		m := labelled(fmt.Sprintf("m%d key=k%d %s", n, n, text))
		x.SetMember(i, GroupMember{Incident: id, Key: m.Key, N: n + 1, Status: Firing, Severity: m.Severity, Title: m.Title, Labels: m.Labels}, nil)
	}
	return i
}

func TestEachMemberOfAGroupInhibitsByItsOwnLabels(t *testing.T) {
	x := NewInhibition([]InhibitRule{ruleOf(t, `severity="critical"`, `severity="warning"`, "node")})
	group := groupOf(x, "b234", "severity=critical node=1", "severity=critical node=1", "severity=critical node=2", "severity=warning node=3")
	inhibits := func(x *Inhibition, key, node, want string) {
		t.Helper()
		by, inhibited := x.Of(labelled("b299 severity=warning key="+key+" node="+node).Subject(), "")
		if by.ID != want || inhibited != (want != "") {
			t.Errorf("%s on node %s is inhibited by %q, want %q", key, node, by.ID, want)
		}
	}
	end := func(x *Inhibition, n int, less bool) {
		t.Helper()
		if got := x.SetMember(group, GroupMember{Key: fmt.Sprint("k", n), Status: Resolved}, nil); got != less {
			t.Errorf("without member %d less is inhibited: %t, want %t", n, got, less)
		}
	}
	inhibits(x, "other", "1", "b234")
	inhibits(x, "other", "2", "b234")
	inhibits(x, "other", "3", "")
	inhibits(x, "k2", "2", "") // by itself alone
	inhibits(x, "k0", "1", "b234")
	above := x.Above()
	end(above, 2, true)
	inhibits(above, "other", "2", "")
	inhibits(x, "other", "2", "b234")
	inhibits(above, "other", "1", "b234")
	end(above, 0, true) // what has the key of the one that is left
	inhibits(above, "other", "1", "b234")
	end(above, 1, true)
	inhibits(above, "other", "1", "")
	above = x.Above()
	group.State = StateResolved
	if !above.Set(group, nil) {
		t.Error("its end is not one of an incident that inhibits others")
	}
	if _, inhibits := above.Inhibitor("b234"); inhibits {
		t.Error("at its end it still inhibits others")
	}
	inhibits(above, "other", "1", "")
	if by, inhibits := x.Inhibitor("b234"); !inhibits || !strings.HasPrefix(by.Title, "title of m") {
		t.Errorf("below, it is %+v", by)
	}
	if !x.Set(group, nil) || len(x.sources)+len(x.members) > 0 {
		t.Errorf("at its end it is remembered as %v, %v", x.sources, x.members)
	}
}

func TestWhatInhibitsAnAlertStaysTheSameAsLongAsItDoes(t *testing.T) {
	x := NewInhibition([]InhibitRule{ruleOf(t, `team="a"`, `env="prod"`)})
	x.Set(labelled("b235 team=a"), nil)
	x.Set(labelled("b234 team=a"), nil)
	target := labelled("b236 env=prod").Subject()
	for current, want := range map[string]string{"b235": "b235", "b234": "b234", "b999": "b234", "": "b234"} {
		if by, _ := x.Of(target, current); by.ID != want {
			t.Errorf("inhibited by %q before, it is by %q now, want %q", current, by.ID, want)
		}
	}
}

func TestASourceThatInhibitsLessIsNamed(t *testing.T) {
	x := NewInhibition([]InhibitRule{ruleOf(t, `team="a"`, `env="prod"`, "cluster")})
	for _, step := range []struct {
		incident string
		less     bool
	}{
		{"b234 team=b", false},
		{"b234 team=a cluster=x env=prod", false},
		{"b234 team=a cluster=x", false}, // it inhibits more: alerts that match both
		{"b234 team=a cluster=x state=acked", false},
		{"b234 team=a cluster=x env=prod", true},
		{"b234 team=a cluster=y env=prod", true},
		{"b234 team=b cluster=y", true},
		{"b234 team=b cluster=y state=resolved", false},
		{"b234 team=a", false},
		{"b234 team=a state=resolved", true},
	} {
		if less := x.Set(labelled(step.incident), nil); less != step.less {
			t.Errorf("%s: it inhibits less: %t, want %t", step.incident, less, step.less)
		}
	}
}

// What is above answers as one that was told everything, and what is below stays as it is.
func TestWhatIsAboveKnowsWhatIsBelowAndKeepsItsOwnToItself(t *testing.T) {
	rules := []InhibitRule{
		ruleOf(t, `a="1"`, `b="1"`, "c"), ruleOf(t, `b=~"1|2"`, `c="2"`), ruleOf(t, `severity="critical"`, `severity!="critical"`, "a", "b"),
	}
	random := rand.New(rand.NewPCG(7, 7))
	draw := func() Incident {
		id := random.IntN(8)
		return labelled(fmt.Sprintf("b23%d severity=%s state=%s key=k%d a=%d b=%d c=%d", 2+id,
			[]Severity{Critical, Error}[random.IntN(2)], []State{Open, Acked, StateResolved}[random.IntN(3)], id%4, random.IntN(3), random.IntN(3), random.IntN(3)))
	}
	for range 300 {
		below, all := NewInhibition(rules), NewInhibition(rules)
		firing := map[string]Incident{}
		set := func(x *Inhibition, n int) {
			for range n {
				i := draw()
				x.Set(i, nil)
				all.Set(i, nil)
				firing[i.ID] = i
			}
		}
		set(below, 10)
		target := draw().Subject()
		before, _ := below.Of(target, "")
		above := below.Above()
		set(above, 10)
		got, inhibited := above.Of(target, "")
		if want, ok := all.Of(target, ""); got != want || inhibited != ok {
			t.Fatalf("%+v is inhibited by %v, want %v", target, got, want)
		}
		if plainly := slices.ContainsFunc(rules, func(r InhibitRule) bool { return plainlyInhibits(r, firing, target) }); plainly != inhibited {
			t.Fatalf("%+v is inhibited: %t, want %t", target, inhibited, plainly)
		}
		if after, _ := below.Of(target, ""); after != before {
			t.Fatalf("what is below has changed from %v to %v", before, after)
		}
	}
}

// plainlyInhibits is Alertmanager's rule, word by word.
func plainlyInhibits(r InhibitRule, firing map[string]Incident, target Subject) bool {
	if !r.Target.Match(target) {
		return false
	}
	for _, i := range firing {
		s := i.Subject()
		equal := !slices.ContainsFunc(r.Equal, func(name string) bool { return s.Value(name) != target.Value(name) })
		if i.State != StateResolved && s.Key != target.Key && r.Source.Match(s) && equal && !(r.Source.Match(target) && r.Target.Match(s)) {
			return true
		}
	}
	return false
}
