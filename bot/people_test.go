package bot

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
	"tocsin/render"
)

func TestAPersonsZoneAndNameAreAskedOnce(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	var people sync.WaitGroup
	for range 20 {
		people.Go(func() {
			zone, err := b.Zone(t.Context(), "U0ANN")
			if err != nil || zone.String() != ann(slack).TZ {
				t.Errorf("zone %v, %v", zone, err)
			}
			if name, err := b.Name(t.Context(), "U0ANN"); err != nil || name != "ann" {
				t.Errorf("name %q, %v", name, err)
			}
		})
	}
	people.Wait()
	if n := callsOf(slack, "users.info"); n != 1 {
		t.Errorf("%d calls for one person", n)
	}
	if _, err := b.Zone(t.Context(), "U0NOBODY"); err == nil {
		t.Error("nobody has a time zone")
	}
}

func TestMembersOfGroupsChannelsAndPeopleAreFound(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	group, err := slack.AddUserGroup(playground.UserGroup{Handle: "oncall", Users: []string{"ann", "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]string{group: "U0ANN U0BOB", "@oncall": "U0ANN U0BOB", "@bob": "U0BOB", "U0ANN": "U0ANN", "C0OPS": "U0ANN", "#ops": "U0ANN", "ann@example.com": "U0ANN"} {
		got, err := b.Members(t.Context(), who)
		if err != nil {
			t.Errorf("%s: %v", who, err)
		}
		for id := range strings.FieldsSeq(want) {
			if !slices.Contains(got, id) {
				t.Errorf("%s: %v lacks %s", who, got, id)
			}
		}
	}
	for _, who := range []string{"@nobody", "S0NONE", "#nowhere", "C0SECRET"} {
		if got, err := b.Members(t.Context(), who); err == nil {
			t.Errorf("%s has the members %v", who, got)
		}
	}
}

func TestWhileSlackIsAwayTheLastKnownMembersCount(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	clock := time.Now()
	b := New(Options{APIURL: slack.APIURL(), Tokens: tokensOf(slack), Now: func() time.Time { return clock }})
	group, err := slack.AddUserGroup(playground.UserGroup{Handle: "oncall", Users: []string{"ann"}})
	if err != nil {
		t.Fatal(err)
	}
	members := func() []string {
		t.Helper()
		got, err := b.Members(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	members()
	if err := slack.SetUserGroup("oncall", "bob"); err != nil {
		t.Fatal(err)
	}
	if got := members(); got[0] != "U0ANN" {
		t.Errorf("asked again at once: %v", got)
	}
	if err := slack.SetFault(playground.Fault{Kind: playground.FaultThrottle, Method: "usergroups.users.list", RetryAfter: 60}); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(membersTTL)
	for range 3 {
		if got := members(); got[0] != "U0ANN" {
			t.Errorf("while Slack is away the members are %v", got)
		}
	}
	if n := callsOf(slack, "usergroups.users.list"); n != 2 {
		t.Errorf("%d calls", n)
	}
	slack.ClearFaults()
	clock = clock.Add(failureTTL)
	if got := members(); got[0] != "U0BOB" {
		t.Errorf("later the members are %v", got)
	}
}

func TestNamesThatAreMentionedBecomeIds(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	group, err := slack.AddUserGroup(playground.UserGroup{Handle: "oncall", Users: []string{"ann"}})
	if err != nil {
		t.Fatal(err)
	}
	job := delivery(alert.Post, "#ops")
	job.Incident.Mentions = map[string][]string{"#ops": {"@oncall", "@bob", "@ghost", "here", "U0ANN"}, "#alerts": {"channel"}}
	before := slices.Clone(job.Incident.Mentions["#ops"])
	sent := posted(t, b, job)
	shown, _ := slack.Message("#ops", sent.TS)
	for _, want := range []string{"<!subteam^" + group + ">", "<@U0BOB>", "@ghost", "<!here>", "<@U0ANN>"} {
		if !strings.Contains(shown.Text, want) {
			t.Errorf("%q lacks %s", shown.Text, want)
		}
	}
	if strings.Contains(shown.Text, "<!channel>") || !slices.Equal(before, job.Incident.Mentions["#ops"]) {
		t.Errorf("shown %q, mentions %v", shown.Text, job.Incident.Mentions)
	}
	reply := delivery(alert.Reply, "#ops")
	reply.Card = alert.Card{Lane: "#ops", Conversation: sent.Conversation, TS: sent.TS}
	reply.Note = &alert.Note{Topic: alert.TopicUnanswered, Mention: []string{"@bob"}}
	if shown, _ = slack.Message("#ops", posted(t, b, reply).TS); !strings.Contains(shown.Text, "<@U0BOB>") {
		t.Errorf("the reply says %q", shown.Text)
	}
}

func TestADigestMentionsWhomItsCardsWouldHave(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	job := aDigest(alert.Digest, 8)
	job.Digest.Mention = []string{"@bob", "here"}
	shown, _ := slack.Message("#alerts", posted(t, b, job).TS)
	if !strings.HasSuffix(shown.Text, "\n<@U0BOB> <!here>") || job.Digest.Mention[0] != "@bob" {
		t.Errorf("shown %q, mentions %v", shown.Text, job.Digest.Mention)
	}
}

func TestAnAlertIsSentEvenIfWhomItMentionsIsNotKnown(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	for _, method := range []string{"users.list", "usergroups.list"} {
		if err := slack.SetFault(playground.Fault{Kind: playground.FaultError, Method: method, Error: "missing_scope"}); err != nil {
			t.Fatal(err)
		}
	}
	job := delivery(alert.Post, "#ops")
	job.Incident.Mentions = map[string][]string{"#ops": {"@ann"}}
	if shown, _ := slack.Message("#ops", posted(t, b, job).TS); !strings.Contains(shown.Text, "@ann") || strings.Contains(shown.Text, "<@") {
		t.Errorf("shown %q", shown.Text)
	}
}

func TestAPersonIsFoundByWhatOthersCallThem(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	for _, said := range []string{"@bob", "U0BOB", "bob@example.com"} {
		if p, err := b.Person(t.Context(), said); err != nil || p != (alert.Person{ID: "U0BOB", Name: "bob"}) {
			t.Errorf("%s: %+v, %v", said, p, err)
		}
	}
	if _, err := b.Person(t.Context(), "@ghost"); sendErrorOf(t, err).Class != alert.ClassDestination {
		t.Errorf("a ghost was found: %v", err)
	}
}

func TestAnAnswerTakesThePlaceOfThePrivateMessageThatWasClicked(t *testing.T) {
	list := render.Silences([]alert.Silence{{ID: "s-k7f2"}}, false)
	s := connect(t, playground.Options{}, nil)
	s.live(2)
	s.command("")
	command := next(t, s.heard.commands)
	if err := s.bot.Respond(t.Context(), command.Caller, list); err != nil {
		t.Fatal(err)
	}
	ts := s.slack.Ephemerals("ann", "#alerts")[0].TS
	if _, err := s.slack.User("ann").Click(t.Context(), playground.AtMessage("#alerts", ts), render.ActionExpire); err != nil {
		t.Fatal(err)
	}
	click := next(t, s.heard.actions)
	if click.User != "U0ANN" || click.Name != "ann" || command.Name != "/notify-test" || command.Caller.Name != "ann" || !click.Ephemeral {
		t.Errorf("command %+v, click %+v", command, click)
	}
	if err := s.bot.Replace(t.Context(), click.Caller, render.Message{Text: "after"}); err != nil {
		t.Fatal(err)
	}
	if all := s.slack.Ephemerals("ann", "#alerts"); len(all) != 1 || all[0].Text != "after" {
		t.Errorf("shown %+v", all)
	}
	// Without an address it is an answer of its own.
	click.ResponseURL = ""
	if err := s.bot.Replace(t.Context(), click.Caller, render.Message{Text: "beside"}); err != nil {
		t.Fatal(err)
	}
	if all := s.slack.Ephemerals("ann", "#alerts"); len(all) != 2 || all[1].Text != "beside" {
		t.Errorf("shown %+v", all)
	}
}

func TestAnAnswerThatSlackRefusesIsTriedOnNoOtherWay(t *testing.T) {
	s := connect(t, playground.Options{}, nil)
	s.live(2)
	s.command("")
	command := next(t, s.heard.commands)
	chart := render.Stats(alert.Stats{Alerts: 1, Until: time.Now(), Buckets: []alert.Bucket{
		{At: time.Now().Add(-time.Hour), BySeverity: map[alert.Severity]int64{alert.Error: 1}},
	}}, render.Chart{Native: true})
	if err := s.slack.SetFault(playground.Fault{Kind: playground.FaultBlock, Block: "data_visualization"}); err != nil {
		t.Fatal(err)
	}
	if e := sendErrorOf(t, s.bot.Respond(t.Context(), command.Caller, chart)); e.Class != alert.ClassPayload || e.Code != "invalid_blocks" {
		t.Errorf("refused with %+v", e)
	}
	if n := callsOf(s.slack, "chat.postEphemeral") + callsOf(s.slack, "chat.postMessage"); n != 0 {
		t.Errorf("%d other tries", n)
	}
	// An address that is spent is no fault of the answer.
	command.ResponseURL += "x"
	if err := s.bot.Respond(t.Context(), command.Caller, render.Message{Text: "by another way"}); err != nil {
		t.Error(err)
	}
	if all := s.slack.Ephemerals("ann", "#alerts"); len(all) != 1 || all[0].Text != "by another way" {
		t.Errorf("shown %+v", all)
	}
}

func TestAPictureIsKeptWithoutBeingShared(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	id, err := b.Upload(t.Context(), "alerts.png", "3 critical", []byte("\x89PNG"))
	if err != nil || !strings.HasPrefix(id, "F") {
		t.Errorf("file %q, %v", id, err)
	}
	slack.SetScopes([]string{"chat:write"})
	if _, err := b.Upload(t.Context(), "alerts.png", "", []byte("\x89PNG")); sendErrorOf(t, err).Class != alert.ClassDestination {
		t.Errorf("without the scope: %v", err)
	}
}

// callsOf counts the calls of one method.
func callsOf(slack *playground.Server, method string) int {
	n := 0
	for _, c := range slack.Calls() {
		if c.Method == method {
			n++
		}
	}
	return n
}

func ann(slack *playground.Server) playground.User {
	for _, u := range slack.Users() {
		if u.Name == "ann" {
			return u
		}
	}
	return playground.User{}
}
