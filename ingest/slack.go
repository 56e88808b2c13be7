package ingest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tocsin/alert"
)

// slack is what Slack's own incoming webhooks take.
func slack() Format {
	return Format{
		Name: "slack", Tool: "Slack's incoming webhook", Path: "/slack/webhook/{channel}",
		Docs:   "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/",
		Sample: "slack-attachments.json",
		Marks:  [][]string{{"attachments"}, {"blocks"}, {"text", "icon_emoji"}, {"text", "username"}},
		Read:   readSlack, ReadMessage: readSlackMessage,
		Answer: answerSlack,
	}
}

type slackBody struct {
	Text, Username, Channel text
	Attachments             []slackAttachment
	Blocks                  []slackBlock
}

type slackAttachment struct {
	Color, Title, Text, Pretext, Fallback, Footer, TS text
	TitleLink                                         text `json:"title_link"`
	ImageURL                                          text `json:"image_url"`
	ThumbURL                                          text `json:"thumb_url"`
	AuthorName                                        text `json:"author_name"`
	AuthorLink                                        text `json:"author_link"`
	Fields                                            []struct{ Title, Value text }
	Actions                                           []struct{ Text, URL text }
	Blocks                                            []slackBlock
}

// slackBlock is a block, and what can be in one.
type slackBlock struct {
	Type        text
	Text        slackText
	Fields      []slackText
	Elements    []slackElement
	ImageURL    text `json:"image_url"`
	AltText     text `json:"alt_text"`
	Title       slackText
	TitleURL    text `json:"title_url"`
	VideoURL    text `json:"video_url"`
	Description slackText
	Accessory   slackElement
	Rows        [][]slackElement
}

// slackText is a text object, or text alone.
type slackText struct{ Type, Text text }

// UnmarshalJSON accepts every value.
func (t *slackText) UnmarshalJSON(value []byte) error {
	if value[0] == '{' {
		type object slackText
		return json.Unmarshal(value, (*object)(t)) // its texts accept every value
	}
	t.Text = text(alert.JSONText(value))
	return nil
}

// plain is it as plain text, in which Slack reads escapes too.
func (t slackText) plain() string { return unescape(or(t.Text)) }

// slackElement is an element of a block: a button, an image, or a part of rich text.
type slackElement struct {
	Type, URL, Name text
	Text            slackText
	ImageURL        text `json:"image_url"`
	AltText         text `json:"alt_text"`
	UserID          text `json:"user_id"`
	UsergroupID     text `json:"usergroup_id"`
	ChannelID       text `json:"channel_id"`
	Range, Value    text
	Style, Indent   text
	Timestamp       text
	Fallback        text
	Elements        []slackElement
	Options         []struct {
		Text slackText
		URL  text
	}
}

func readSlack(r Request) (alert.Intake, error) {
	r = withLists(r)
	var b slackBody
	notes, err := readJSON(r, &b)
	if err != nil {
		return alert.Intake{}, slackError("invalid_payload")
	}
	m := slackMessage{labels: labels{}, firing: b.fires()}
	if m.firing { // what is also resolved doesn't name the incident
		slices.SortStableFunc(b.Attachments, func(x, y slackAttachment) int { return cmp.Compare(x.resolved(), y.resolved()) })
	}
	if len(b.Blocks) == 0 { // with blocks, the text is only for notifications
		m.add(string(b.Text))
	}
	m.blocks(b.Blocks)
	for _, at := range b.Attachments {
		m.attachment(at)
	}
	name := m.name()
	a := m.alert(or(b.Username))
	a.Channel = or(b.Channel)
	if a.Title == "" && a.Text == "" {
		a.Title = or(b.Text, text(name))
	}
	if a.Title == "" {
		return alert.Intake{}, slackError("no_text")
	}
	return alert.Intake{Alerts: []alert.Alert{a}, Notes: notes}, nil
}

// inPlaceOfSlack are members of a message that Tocsin does not pass on.
var inPlaceOfSlack = []string{"thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media", "link_names", "parse", "username", "icon_emoji", "icon_url", "metadata"}

// mostSlackText is how many bytes of text a message may have without blocks: Slack cuts it
// from 40,000 characters on.
const mostSlackText = 39_000

// readSlackMessage returns the message as it is. It resolves at once: nobody has to
// acknowledge it.
func readSlackMessage(r Request) (alert.Intake, error) {
	r = withLists(r)
	in, err := readSlack(r)
	if err != nil {
		return in, err
	}
	var m struct {
		Text                text
		Blocks, Attachments []json.RawMessage
	}
	notes, err := readJSON(r, &m)
	if err != nil {
		return alert.Intake{}, slackError("invalid_payload")
	}
	if len(m.Blocks)+len(m.Attachments) == 0 && len(m.Text) > mostSlackText {
		in.Notes = append(in.Notes, "the text is too long for one message and is shown as a card")
		return in, nil
	}
	a := &in.Alerts[0]
	a.Message = &alert.Message{Text: string(m.Text), Blocks: m.Blocks, Attachments: m.Attachments}
	a.Key, a.Status, a.Severity, a.Mention = "", alert.Resolved, alert.Info, ""
	var members map[string]skipped
	_, _ = readJSON(r, &members) // it has been read twice
	for _, name := range inPlaceOfSlack {
		if _, ok := members[name]; ok {
			notes = append(notes, name+" is ignored")
		}
	}
	in.Notes = notes
	return in, nil
}

// slackError is an error in Slack's words.
type slackError string

func (e slackError) Error() string { return string(e) }

// slackMessage collects what a message says.
type slackMessage struct {
	title  string
	colour alert.Severity // the worst that a colour stands for
	firing bool           // an attachment says so
	built  bool           // it has a block
	texts  []string
	labels labels
	links  []alert.Link
	images []alert.Image
	// mentions are those whom it would notify in Slack (see alert.ParseMention).
	mentions []string
}

// name is the title of a message without a paragraph: its labels, else what its images or
// links are called. It is empty if there is nothing in the message.
func (m *slackMessage) name() string {
	if len(m.labels) > 0 {
		return pairs(m.labels)
	}
	var all []string
	for _, i := range m.images {
		all = append(all, i.Alt)
	}
	for _, l := range m.links {
		all = append(all, l.Label)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return strings.TrimSpace(s) == "" })
	switch {
	case len(all) > 0:
		return strings.Join(all, ", ")
	case m.built || len(m.images) > 0:
		return "A message of Slack"
	}
	return ""
}

// add adds a paragraph of mrkdwn.
func (m *slackMessage) add(mrkdwn string) {
	if plain := strings.Trim(m.plain(mrkdwn), "\n"); strings.TrimSpace(plain) != "" {
		m.texts = append(m.texts, plain)
	}
}

func (m *slackMessage) attachment(at slackAttachment) {
	m.worsen(at)
	m.add(string(at.Pretext))
	m.add(string(at.AuthorName))
	m.links = addLink(m.links, unescape(or(at.AuthorName, "Author")), string(at.AuthorLink))
	title := m.plain(or(at.Title))
	switch {
	case m.title == "" && title != "":
		m.title = title
	case title != "":
		m.texts = append(m.texts, title)
	}
	m.links = addLink(m.links, "Open", string(at.TitleLink))
	m.add(string(at.Text))
	m.blocks(at.Blocks)
	m.fields(at)
	for _, action := range at.Actions {
		m.links = addLink(m.links, cmp.Or(unescape(or(action.Text)), "Open"), string(action.URL))
	}
	m.images = addImage(m.images, string(at.ImageURL), title)
	m.images = addImage(m.images, string(at.ThumbURL), title)
	if m.title == "" && len(m.texts) == 0 {
		m.add(string(at.Fallback))
	}
	m.add(string(at.Footer))
}

// worsen takes the attachment's colour if it stands for something worse.
func (m *slackMessage) worsen(at slackAttachment) {
	if s := colourSeverity(or(at.Color)); s != "" && !(m.firing && at.resolved() > 0) && (m.colour == "" || s.Rank() < m.colour.Rank()) {
		m.colour = s
	}
}

// fields are labels if they have a title.
func (m *slackMessage) fields(at slackAttachment) {
	for _, field := range at.Fields {
		if or(field.Title) == "" {
			m.add(string(field.Value))
			continue
		}
		m.labels.addSaid(cmp.Or(strings.Trim(unescape(unbold(or(field.Title))), ": "), or(field.Title)), m.plain(string(field.Value)))
	}
}

// fires reports whether an attachment says that something is not resolved: by the status
// before its title, or among several by its colour.
func (b slackBody) fires() bool {
	return slices.ContainsFunc(b.Attachments, func(at slackAttachment) bool {
		status, _, _ := stateOf(or(at.Title))
		colour := colourSeverity(or(at.Color))
		return status == alert.Firing || status == "" && len(b.Attachments) > 1 && (colour == alert.Error || colour == alert.Warning)
	})
}

// resolved is 1 if the status before the title says so, else 0.
func (at slackAttachment) resolved() int {
	if status, _, _ := stateOf(or(at.Title)); status == alert.Resolved {
		return 1
	}
	return 0
}

func (m *slackMessage) blocks(all []slackBlock) {
	for _, b := range all {
		m.built = m.built || or(b.Type) != ""
		switch {
		case or(b.Type) == "header" && m.title == "":
			m.title = b.Text.plain()
		case or(b.Text.Type) == "plain_text":
			m.texts = append(m.texts, b.Text.plain())
		default:
			m.add(string(b.Text.Text))
		}
		for _, field := range b.Fields {
			m.field(string(field.Text))
		}
		m.add(string(b.Title.Text))
		m.add(string(b.Description.Text))
		m.links = addLink(m.links, cmp.Or(b.Title.plain(), "Video"), or(b.TitleURL, b.VideoURL))
		if more := addImage(m.images, string(b.ImageURL), or(b.AltText, b.Title.Text)); len(more) > len(m.images) {
			m.images = more
		} else if or(b.AltText) != or(b.Title.Text) {
			m.texts = append(m.texts, or(b.AltText))
		}
		m.elements(or(b.Type), append(b.Elements, b.Accessory))
		m.table(b.Rows)
	}
}

// table adds the rows of a table block as lines.
func (m *slackMessage) table(rows [][]slackElement) {
	var lines []string
	for _, row := range rows {
		var cells []string
		for _, cell := range row {
			var words strings.Builder
			cell.write(&words, m, mostNested)
			cells = append(cells, strings.Join(strings.Fields(words.String()), " "))
		}
		lines = append(lines, strings.Join(cells, " | "))
	}
	m.texts = append(m.texts, strings.Join(lines, "\n"))
}

// inOneLine is a field whose value follows its name in bold, with a colon in between.
var inOneLine = regexp.MustCompile(`^\*([^*\n]+)(?::\*|\*:)[ \t]+(\S.*)$`)

// field is a label if it is written as most people do: a name in bold, and a value in the
// next line or after a colon.
func (m *slackMessage) field(mrkdwn string) {
	mrkdwn = strings.TrimSpace(mrkdwn)
	name, value, two := strings.Cut(mrkdwn, "\n")
	name = strings.TrimSuffix(strings.Trim(strings.TrimSpace(name), "*"), ":")
	if line := inOneLine.FindStringSubmatch(mrkdwn); line != nil {
		name, value, two = line[1], line[2], true
	}
	name = strings.TrimSpace(unescape(name))
	if two && strings.TrimSpace(value) != "" && name != "" {
		m.labels.add(name, strings.TrimSpace(m.plain(value)))
		return
	}
	m.add(mrkdwn)
}

// elements are the buttons of an actions block, and the words of a context or rich text.
func (m *slackMessage) elements(block string, all []slackElement) {
	var words strings.Builder
	for _, e := range all {
		switch or(e.Type) {
		case "button":
			m.links = addLink(m.links, cmp.Or(e.Text.plain(), "Open"), string(e.URL))
			continue
		case "overflow":
			for _, option := range e.Options {
				m.links = addLink(m.links, cmp.Or(option.Text.plain(), "Open"), string(option.URL))
			}
			continue
		case "image":
			m.images = addImage(m.images, string(e.ImageURL), or(e.AltText))
			continue
		}
		if block == "context" && words.Len() > 0 {
			words.WriteString(" ")
		}
		e.write(&words, m, mostNested)
	}
	m.texts = append(m.texts, strings.TrimSpace(words.String()))
}

// mostNested is how deep elements may be nested: Slack's rich text goes three deep.
const mostNested = 5

// write writes the words of an element, and adds its links to m.
func (e slackElement) write(to *strings.Builder, m *slackMessage, nested int) {
	if nested == 0 {
		return
	}
	if or(e.Type) == "rich_text_preformatted" {
		var code strings.Builder
		for _, part := range e.Elements {
			part.write(&code, m, nested-1)
		}
		to.WriteString(alert.Preformatted(code.String()) + "\n")
		return
	}
	to.WriteString(e.own(m))
	for n, part := range e.Elements {
		if or(e.Type) == "rich_text_list" {
			to.WriteString(e.bullet(n))
		}
		part.write(to, m, nested-1)
	}
	if strings.HasPrefix(string(e.Type), "rich_text_") {
		to.WriteString("\n")
	}
}

// own are the words of an element without those in it. Its links and mentions are added to m.
func (e slackElement) own(m *slackMessage) string {
	switch or(e.Type) {
	case "link":
		m.links = addLink(m.links, or(e.Text.Text, "Open"), string(e.URL))
		return or(e.Text.Text, e.URL)
	case "emoji":
		return ":" + or(e.Name) + ":"
	case "mrkdwn":
		return m.plain(string(e.Text.Text))
	case "plain_text":
		return unescape(string(e.Text.Text))
	case "user", "usergroup", "broadcast":
		m.mention(or(e.UserID, e.UsergroupID, e.Range))
		return e.named()
	}
	return cmp.Or(string(e.Text.Text), e.named())
}

// bullet begins an item of a list.
func (e slackElement) bullet(n int) string {
	depth, _ := strconv.Atoi(or(e.Indent))
	blanks := strings.Repeat("  ", min(max(depth, 0), mostNested))
	if or(e.Style) == "ordered" {
		return blanks + strconv.Itoa(n+1) + ". "
	}
	return blanks + "• "
}

// named is what an element of rich text stands for: somebody, a conversation, a colour or
// a time.
func (e slackElement) named() string {
	switch or(e.Type) {
	case "user":
		return "@" + or(e.UserID)
	case "usergroup":
		return "@" + or(e.UsergroupID)
	case "channel":
		return "#" + or(e.ChannelID)
	case "broadcast":
		return "@" + or(e.Range)
	case "color":
		return or(e.Value)
	case "date":
		if at := timeOf(e.Timestamp); or(e.Fallback) == "" && !at.IsZero() {
			return at.UTC().Format(dateLayout)
		}
		return or(e.Fallback, e.Timestamp)
	}
	return ""
}

// counted is what tools write before a title: [FIRING:2], [RESOLVED], [OK].
var counted = regexp.MustCompile(`^\s*\[([A-Za-z _]+)(?::(\d+))?\]\s*`)

// stateOf returns the status before a title, how many alerts have it, and the title
// without it. The status is empty if what stands there is none, such as [PROD].
func stateOf(title string) (status alert.Status, count, rest string) {
	prefix := counted.FindStringSubmatch(title)
	if prefix == nil {
		return "", "", title
	}
	switch strings.ToLower(strings.TrimSpace(prefix[1])) {
	case "resolved", "ok", "recovered", "up":
		status = alert.Resolved
	case "firing", "alerting", "pending", "no data", "nodata", "no_data", "problem", "down", "triggered", "paused", "unknown":
		status = alert.Firing
	default:
		return "", "", title
	}
	return status, prefix[2], strings.TrimPrefix(title, prefix[0])
}

// alert is what the message says as an alert. Messages that say a state and have one title of
// one sender are about the same thing; others, if their fields are the same, too.
func (m *slackMessage) alert(username string) alert.Alert {
	a := alert.Alert{
		Source: "slack", Title: m.title, Text: paragraphs(m.texts...), Links: m.links, Images: m.images, Mention: strings.Join(m.mentions, ", "),
	}
	if a.Title == "" {
		a.Title, a.Text, _ = strings.Cut(a.Text, "\n")
		a.Text = strings.TrimLeft(a.Text, "\n")
	}
	status, count, about := stateOf(a.Title)
	if about != "" {
		a.Title = about // the card says the state, also once it has changed
		if status != "" {
			a.Key = strings.ReplaceAll("slack/"+username+"/"+about, "//", "/")
		}
	}
	switch {
	case status == alert.Resolved && !m.firing:
		a.Status = alert.Resolved
	case count != "1":
		m.labels.addSaid("alerts", count)
	}
	a.Severity = m.severity()
	m.labels.addSaid("sender", username)
	a.Labels = m.labels
	return a
}

// severity is what a field says, else what the colour stands for.
func (m *slackMessage) severity() alert.Severity {
	for _, name := range m.labels.names() {
		if lower := strings.ToLower(name); lower == "severity" || lower == "priority" {
			return alert.Severity(m.labels.take(name))
		}
	}
	return m.colour
}

// answerSlack answers as Slack does.
func answerSlack(status int, _ []string, problem string) (code int, contentType, body string) {
	const plain = "text/plain; charset=utf-8"
	switch status {
	case http.StatusAccepted:
		return http.StatusOK, plain, "ok"
	case http.StatusTooManyRequests:
		return status, plain, "rate_limited"
	case http.StatusNotFound:
		return status, plain, "no_service"
	case http.StatusForbidden:
		return status, plain, "action_prohibited"
	case http.StatusUnauthorized:
		return http.StatusForbidden, plain, "invalid_token"
	case http.StatusBadRequest:
		if word := problem[strings.LastIndex(problem, " ")+1:]; word == "no_text" {
			return status, plain, word
		}
		return status, plain, "invalid_payload"
	case http.StatusRequestEntityTooLarge:
		return status, plain, "msg_too_long"
	}
	return status, plain, "service_unavailable"
}
