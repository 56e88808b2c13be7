package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// The action ids of the Home tab's buttons.
const (
	ActionTest    = "home_test"
	ActionRefresh = "home_refresh"
)

// How much the Home tab shows: with everything else it stays below the 100 blocks
// of a view.
const (
	homeMine       = 5
	homeOpen       = 14
	homeHeartbeats = 8
	homeSilences   = 8
	homeProblems   = 8
)

// HomeView is what the App Home shows.
type HomeView struct {
	// Mine are the reader's incidents, worst first.
	Mine []alert.Incident
	// Open are incidents that are not resolved, worst first; Counts counts all of them.
	Open   []alert.Incident
	Counts map[alert.Severity]int
	// Unread says that nothing is known of incidents, silences and subscriptions,
	// because the store can't be read.
	Unread bool
	// Heartbeats are all of them, as they are at Now.
	Heartbeats []alert.Heartbeat
	Now        time.Time
	// Silences are the active ones.
	Silences []alert.Silence
	// Health is the state of delivery.
	Health alert.Health
	// Subscriptions are the reader's.
	Subscriptions []alert.Subscription
	// Stats are the last day's, for Chart.
	Stats alert.Stats
	Chart Chart
	// Shell is how to reach the daemon from its own machine.
	Shell   Shell
	Version string
	// DrawnAt is shown at the foot; the zero time is left out.
	DrawnAt time.Time
}

// Home draws the Home tab. All its times but DrawnAt are whole minutes, and the
// reader's Slack keeps them current, so an idle workspace always gives the same
// view.
func Home(v HomeView) HomeTab {
	open := tally(v.Counts)
	if v.Unread {
		open = unread
	}
	blocks := []slack.Block{header("Open incidents"), section(open), homeButtons()}
	blocks = append(blocks, homeIncidents(v)...)
	if chart := chartBlocks(v.Stats, v.Chart); len(chart) > 0 {
		blocks = append(blocks, slack.NewDividerBlock(), header("The last day"))
		blocks = append(blocks, chart...)
	}
	blocks = append(blocks, homeHeartbeatBlocks(v.Heartbeats, v.Now)...)
	if len(v.Silences) > 0 {
		blocks = append(blocks, slack.NewDividerBlock(), header("Silences"))
		blocks = append(blocks, silenceBlocks(v.Silences, false, homeSilences, shown)...)
	}
	blocks = append(blocks, slack.NewDividerBlock(), header("Delivery"), section(strings.Join(deliveryFields(v.Health), "\n")))
	blocks = append(blocks, problemBlocks(problems(v.Health), homeProblems)...)
	if !v.Unread {
		blocks = append(blocks, slack.NewDividerBlock(), header("Your subscriptions"), section(strings.Join(subscriptionLines(v.Subscriptions), "\n")))
	}
	blocks = append(blocks,
		slack.NewDividerBlock(), header("Push an alert from the shell"), slack.NewRichTextBlock("", preformatted(v.Shell.example())),
		small(homeFoot(v)...),
	)
	return homeTab(blocks...)
}

func homeTab(blocks ...slack.Block) HomeTab {
	return HomeTab{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}, CallbackID: "home"}
}

func homeButtons() slack.Block {
	return slack.NewActionBlock("", button(ActionTest, "Send a test alert…"), button(ActionRefresh, "Refresh"))
}

func homeFoot(v HomeView) []string {
	parts := []string{"Tocsin " + fit(oneLine(v.Version), 60)}
	if !v.DrawnAt.IsZero() {
		parts = append(parts, "drawn "+dateAs(v.DrawnAt, "{date_short_pretty} {time_secs}"))
	}
	return append(parts, "write `help` in the Messages tab to see what I can do")
}

// tally tells how many incidents of each severity are open: 1 critical, 2 errors.
func tally(counts map[alert.Severity]int) string {
	total := totalOf(counts)
	if total == 0 {
		return "All quiet: nothing is open."
	}
	parts := severityCounts(counts)
	if known := counts[alert.Critical] + counts[alert.Error] + counts[alert.Warning] + counts[alert.Info]; known < total {
		parts = append(parts, fmt.Sprintf("%s *%d* of other severities", severitySign(""), total-known))
	}
	return strings.Join(parts, dot)
}

func totalOf(counts map[alert.Severity]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// homeIncidents are the reader's incidents, then the others by severity, each with
// its buttons.
func homeIncidents(v HomeView) []slack.Block {
	var blocks []slack.Block
	mine := v.Mine[:min(len(v.Mine), homeMine)]
	if len(mine) > 0 {
		blocks = append(blocks, section("*Yours*"))
	}
	for _, i := range mine {
		blocks = append(blocks, homeRow(i)...)
	}
	others := slices.DeleteFunc(slices.Clone(v.Open), func(i alert.Incident) bool {
		return slices.ContainsFunc(mine, func(m alert.Incident) bool { return m.ID == i.ID })
	})
	var last alert.Severity
	for at, i := range others[:min(len(others), homeOpen)] {
		if at == 0 || i.Severity != last {
			blocks = append(blocks, section("*"+severityWord(i.Severity)+"*"))
		}
		last = i.Severity
		blocks = append(blocks, homeRow(i)...)
	}
	if hidden := totalOf(v.Counts) - len(mine) - min(len(others), homeOpen); hidden > 0 {
		blocks = append(blocks, small("and "+plural(hidden, "other")+": `/notify list` shows them all"))
	}
	return blocks
}

func homeRow(i alert.Incident) []slack.Block {
	text := row(i, shown)
	if where := places(i); where != "" && !i.Hidden() && i.HeldUntil.IsZero() {
		text += dot + where
	}
	return append([]slack.Block{section(text)}, incidentActions(i)...)
}

// places says where an incident is shown, or will be.
func places(i alert.Incident) string {
	const most = 3
	var all []string
	for _, lane := range i.Lanes[:min(len(i.Lanes), most)] {
		if card := i.Card(lane); card.TS != "" {
			all = append(all, "in "+place(card.Conversation))
		} else {
			all = append(all, "on its way to "+place(lane))
		}
	}
	if len(i.Lanes) > most {
		all = append(all, fmt.Sprintf("%d more", len(i.Lanes)-most))
	}
	return strings.Join(all, ", ")
}

// deliveryFields is the state of delivery, a line each.
func deliveryFields(h alert.Health) []string {
	connection := "not connected"
	if h.Connections > 0 {
		connection = plural(h.Connections, "connection")
		if h.RequestsAt != "" {
			connection = "requests come by HTTP"
		}
		if !h.ConnectedSince.IsZero() {
			connection += ", since " + date(h.ConnectedSince.Truncate(time.Minute))
		}
	}
	sending := "nothing is waiting"
	if h.Waiting > 0 {
		sending = plural(h.Waiting, "conversation") + " with messages to send"
	}
	if held := oneLine(h.Held); visible(held) {
		sending = "held: " + fit(held, 500)
	}
	fields := []string{"*Slack*: " + connection, "*Sending*: " + sending}
	if replicas := h.Cluster(); replicas != "" {
		fields = append(fields, "*Replicas*: "+fit(replicas, 300))
	}
	if h.DeadLetters > 0 {
		fields = append(fields, "*Given up*: "+plural(h.DeadLetters, "dead letter")+": `tocsin queue list --state dead` says why")
	}
	if last := oneLine(h.LastError); visible(last) {
		lane, _, _ := strings.Cut(last, ": ")
		text := "*Last error*: " + named(fit(last, 500), lane)
		if !h.LastErrorAt.IsZero() {
			text += ", " + date(h.LastErrorAt.Truncate(time.Minute))
		}
		fields = append(fields, text)
	}
	return fields
}

// problems are what needs a person, followed by the conversations that the fallback
// replaces, the long pauses that Slack has asked for and a configuration with a mistake.
func problems(h alert.Health) []alert.Problem {
	all := slices.Clone(h.Problems)
	for _, n := range h.Notes {
		if n.Lane != "" || n.Code == alert.ProblemThrottled || n.Code == alert.ProblemConfig {
			all = append(all, n)
		}
	}
	return all
}

// problemBlocks draws the first problems, each with its remedy.
func problemBlocks(all []alert.Problem, most int) []slack.Block {
	var blocks []slack.Block
	room := maxBlocks - maxSection
	for at, p := range all {
		if room -= size(problem(p)); at == most || room < 0 {
			return append(blocks, small("and "+plural(len(all)-at, "more problem")))
		}
		blocks = append(blocks, section(problem(p)))
	}
	return blocks
}

func problem(p alert.Problem) string {
	what := oneLine(p.What)
	if !visible(what) {
		what = "something is wrong"
	}
	text := "⚠️ " + named(bold(what, 500), p.Lane)
	if !p.Since.IsZero() {
		text += " since " + date(p.Since.Truncate(time.Minute))
	}
	if fix := oneLine(p.Fix); visible(fix) {
		text += "\n" + named(advice(fix, 1000), p.Lane)
	}
	return text
}

// named replaces a channel's id in a line by a link that shows its name.
func named(line, lane string) string {
	if !channelID(lane) {
		return line
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(line, lane)
		b.WriteString(before)
		switch drawn := b.String(); {
		case !found:
			return drawn
		case strings.LastIndex(drawn, outsideBegin) > strings.LastIndex(drawn, outsideEnd):
			b.WriteString(outsideEnd + place(lane) + outsideBegin)
		default:
			b.WriteString(place(lane))
		}
		line = after
	}
}
