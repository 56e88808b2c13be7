package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// The action ids of the Home's buttons.
const (
	ActionTest    = "home_test"
	ActionRefresh = "home_refresh"
)

// homeRows is how many incidents the Home shows; with everything else it stays
// far below the 100 blocks of a view.
const homeRows = 20

// HomeView is what the App Home shows.
type HomeView struct {
	// Open are the incidents that are not resolved, worst first. More says that
	// there are others besides.
	Open []alert.Incident
	More bool
	// Health is how delivery does.
	Health alert.Health
	// Shell is how to reach the daemon from its own machine.
	Shell   Shell
	Version string
	// DrawnAt is shown at the foot; the zero time is left out.
	DrawnAt time.Time
}

// Home draws the App Home. All times in it but DrawnAt are of whole minutes and
// counted on by the reader's Slack, so an idle workspace always gives the same
// view.
func Home(v HomeView) HomeTab {
	blocks := []slack.Block{
		header("Open incidents"),
		section(tally(v.Open, v.More)),
		homeButtons(),
	}
	blocks = append(blocks, incidentRows(v)...)
	blocks = append(blocks, slack.NewDividerBlock(), header("Delivery"), fieldset(deliveryFields(v.Health)...))
	blocks = append(blocks, problemBlocks(v.Health.Problems)...)
	blocks = append(blocks,
		slack.NewDividerBlock(),
		header("Push an alert from the shell"),
		section(v.Shell.example()),
		small(homeFoot(v)...),
	)
	return HomeTab{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}, CallbackID: "home"}
}

func homeButtons() slack.Block {
	test := button(ActionTest, "Send a test alert…")
	test.Style = slack.StylePrimary
	return slack.NewActionBlock("", test, button(ActionRefresh, "Refresh"))
}

func homeFoot(v HomeView) []string {
	parts := []string{"Tocsin " + fit(literal(oneLine(v.Version)), 60)}
	if !v.DrawnAt.IsZero() {
		parts = append(parts, "drawn "+dateAs(v.DrawnAt, "{date_short_pretty} {time_secs}"))
	}
	return append(parts, "write `help` in the Messages tab to see what I can do")
}

// tally counts incidents by severity: 1 critical, 2 errors.
func tally(open []alert.Incident, more bool) string {
	if len(open) == 0 {
		return "All quiet: nothing is open."
	}
	counts := map[alert.Severity]int{}
	for _, i := range open {
		counts[i.Severity]++
	}
	var parts []string
	for _, s := range alert.Severities() {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s *%d* %s", severitySign(s), n, s))
		}
	}
	if known := counts[alert.Critical] + counts[alert.Error] + counts[alert.Warning] + counts[alert.Info]; known < len(open) {
		parts = append(parts, fmt.Sprintf("%s *%d* of other severities", severitySign(""), len(open)-known))
	}
	if more {
		parts = append(parts, "and more")
	}
	return strings.Join(parts, dot)
}

func incidentRows(v HomeView) []slack.Block {
	var blocks []slack.Block
	for at, i := range v.Open {
		if at == homeRows {
			break
		}
		blocks = append(blocks, section(incidentRow(i)))
	}
	switch hidden := len(v.Open) - homeRows; {
	case hidden > 0 && v.More:
		blocks = append(blocks, small(fmt.Sprintf("and more than %d others", hidden)))
	case hidden > 0:
		blocks = append(blocks, small("and "+plural(hidden, "other")))
	case v.More:
		blocks = append(blocks, small("and others"))
	}
	return blocks
}

func incidentRow(i alert.Incident) string {
	parts := []string{quoted(orDash(i.ID)), "fired " + times(i.Count)}
	if !i.LastAt.IsZero() {
		parts = append(parts, "last "+ago(i.LastAt.Truncate(time.Minute)))
	}
	if i.State == alert.Acked {
		parts = append(parts, "acknowledged"+by(i.AckedBy))
	}
	if where := places(i); where != "" {
		parts = append(parts, where)
	}
	return sign(i) + " " + bold(title(i.Title), 300) + "\n" + strings.Join(parts, dot)
}

// places says where an incident is shown, or will be.
func places(i alert.Incident) string {
	const most = 3
	var all []string
	for at, lane := range i.Lanes {
		if at == most {
			all = append(all, fmt.Sprintf("%d more", len(i.Lanes)-most))
			break
		}
		card := i.Card(lane)
		if card.TS == "" {
			all = append(all, "on its way to "+place(lane))
			continue
		}
		all = append(all, "in "+place(card.Conversation))
	}
	return strings.Join(all, ", ")
}

// deliveryFields says in two columns how delivery does.
func deliveryFields(h alert.Health) []string {
	connection := "not connected"
	if h.Connections > 0 {
		connection = plural(h.Connections, "connection")
		if !h.ConnectedSince.IsZero() {
			connection += ", since " + date(h.ConnectedSince.Truncate(time.Minute))
		}
	}
	sending := "nothing waits"
	if h.Waiting > 0 {
		sending = plural(h.Waiting, "conversation") + " with something to send"
	}
	if held := literal(oneLine(h.Held)); visible(held) {
		sending = "held: " + fit(held, 500)
	}
	fields := []string{"*Slack*\n" + connection, "*Sending*\n" + sending}
	if h.DeadLetters > 0 {
		fields = append(fields, "*Given up*\n"+plural(h.DeadLetters, "dead letter")+": `tocsin queue list --state dead` says why")
	}
	if last := literal(oneLine(h.LastError)); visible(last) {
		lane, _, _ := strings.Cut(last, ": ")
		text := "*Last error*\n" + named(fit(last, 500), lane)
		if !h.LastErrorAt.IsZero() {
			text += "\n" + date(h.LastErrorAt.Truncate(time.Minute))
		}
		fields = append(fields, text)
	}
	return fields
}

// problemBlocks draws each problem with its remedy.
func problemBlocks(problems []alert.Problem) []slack.Block {
	const most = 10
	var blocks []slack.Block
	for at, p := range problems {
		if at == most {
			return append(blocks, small("and "+plural(len(problems)-most, "more problem")))
		}
		blocks = append(blocks, section(problem(p)))
	}
	return blocks
}

func problem(p alert.Problem) string {
	what := literal(oneLine(p.What))
	if !visible(what) {
		what = "something is wrong"
	}
	text := "⚠️ " + named(bold(what, 500), p.Lane)
	if fix := oneLine(p.Fix); visible(fix) {
		text += "\n" + named(fit(fix, 1000), p.Lane)
	}
	return text
}

// named puts a channel's name where text speaks of it by its id.
func named(text, lane string) string {
	if !channelID(lane) {
		return text
	}
	return strings.ReplaceAll(text, lane, place(lane))
}
