package api

import (
	"net/http"
	"slices"

	"tocsin/alert"
)

// Operation is one request in the OpenAPI description.
type Operation struct {
	// Pattern is the one of the mux.
	Pattern string
	// Tag is the group of it, Summary what it does in one line.
	Tag, Summary string
	// Params has a field for each parameter; nil for none.
	Params any
	// Body is what the body is read into; nil for none. Types are the content types of a
	// body that is not JSON alone.
	Body  any
	Types []string
	// Status is that of success, Answer its body: JSON unless it is text; nil for none.
	Status int
	Answer any
	// Errors are the statuses of failure with a body of their own.
	Errors []int
	// Problems is the body of failures; nil for an errorBody. Others are the bodies of those
	// statuses that have another one; nil for none.
	Problems any
	Others   map[int]any
}

// Written is the type of what was written as text.
type Written string

// alertBody is what can be written in an alert. It is for the description alone: set
// reads each member by itself, to repair it.
type alertBody struct {
	Title          string            `json:"title,omitempty" description:"What happened, in one line. An alert has a title or a text." example:"disk full on db-3"`
	Text           string            `json:"text,omitempty" description:"What happened, at any length." example:"/var is at 100 %"`
	Severity       string            `json:"severity,omitempty" default:"error" description:"critical, error, warning or info, or the word of another tool." example:"critical"`
	Status         string            `json:"status,omitempty" default:"firing" description:"firing, or resolved, which resolves the incident of the key." example:"firing"`
	Key            string            `json:"key,omitempty" description:"What it is about: alerts with one key share a card. Default: a fingerprint of source, labels and title." example:"db-3/disk"`
	Channel        string            `json:"channel,omitempty" description:"A channel id, #name, @user or an e-mail address. Default: by the routes." example:"#ops"`
	Source         string            `json:"source,omitempty" description:"Who sends it." example:"cron"`
	Format         string            `json:"format,omitempty" default:"text" description:"How marks in the text are read: text (as it is written), markdown or mrkdwn (Slack's)." example:"markdown"`
	Labels         map[string]string `json:"labels,omitempty" description:"Names with text, numbers or booleans."`
	Links          []alert.Link      `json:"links,omitempty" description:"Shown as buttons."`
	Images         []alert.Image     `json:"images,omitempty" description:"Pictures at public https addresses."`
	Mention        string            `json:"mention,omitempty" description:"Whom it concerns: here, @name, an e-mail address or an id." example:"@ann"`
	At             string            `json:"at,omitempty" description:"When it happened: RFC 3339, or seconds or milliseconds since 1970. Default: now." example:"2026-01-02T12:00:00Z"`
	ExpiresIn      string            `json:"expires_in,omitempty" description:"After what time its incident resolves unless it fires again." example:"2h"`
	EndsAt         string            `json:"ends_at,omitempty" description:"When its incident resolves unless it fires again." example:"2026-01-02T14:00:00Z"`
	OnlyIfOpen     bool              `json:"only_if_open,omitempty" description:"Count it only if an incident with its key is open."`
	IdempotencyKey string            `json:"idempotency_key,omitempty" description:"An alert with the same key is counted once." example:"0b7f4c52"`
}

// Operations are the requests that are described.
func Operations() []Operation {
	return slices.Concat(sending(), reading(), acting(), beating(), asAlertmanager())
}

type once struct {
	Key string `header:"Idempotency-Key" description:"A request with the same key is counted once."`
}

type strictly struct {
	Strict bool `query:"strict" description:"Refuse what would be repaired."`
}

// defaults are what fills in what an alert leaves out, apart from its other texts and times.
type defaults struct {
	Title    string `query:"title" description:"The title of what has none; like the fields below, and the others of an alert that are not lists or objects."`
	Severity string `query:"severity" description:"The severity of what has none."`
	Key      string `query:"key" description:"The key of what has none."`
	Channel  string `query:"channel" description:"The conversation of what names none."`
	Source   string `query:"source" description:"The source of what has none."`
	Mention  string `query:"mention" description:"Whom what names nobody concerns."`
}

// hookParams are the parameters of every webhook.
type hookParams struct {
	once
	strictly
	Channel  string `query:"channel" description:"The conversation, where the body names none."`
	Severity string `query:"severity" description:"The severity, where the body says none."`
	Mention  string `query:"mention" description:"Whom it concerns."`
	Token    string `query:"token" description:"The token, for senders that can send no header."`
}

// pagerDutyAnswer is an answer in the words of PagerDuty's Events API v2.
type pagerDutyAnswer struct {
	Status   string   `json:"status" required:"true"`
	Message  string   `json:"message" required:"true"`
	DedupKey string   `json:"dedup_key,omitempty"`
	Errors   []string `json:"errors,omitempty"`
}

const (
	tagSend   = "Sending alerts"
	tagRead   = "Reading"
	tagAct    = "Acting"
	tagDaemon = "The daemon"
)

func alerts(method, summary string) Operation {
	return Operation{
		Pattern: method + " /v1/alerts", Tag: tagSend, Summary: summary,
		Params: struct {
			once
			strictly
			defaults
		}{}, Body: alertBody{}, Types: []string{object, lines, text},
		Status: http.StatusAccepted, Answer: accepted{}, Errors: append([]int{http.StatusUnsupportedMediaType}, refusals()...),
	}
}

func refusals() []int {
	return []int{http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}
}

func sending() []Operation {
	refusals := refusals()
	return []Operation{
		alerts("POST", "Send an alert or a batch. It is on disk when the answer comes."),
		alerts("PUT", "The same, as curl -T sends a file."),
		{
			Pattern: "POST /v1/webhooks/{name}", Tag: tagSend, Summary: "Take what another tool sends, as it sends it (docs/webhooks.md lists the names).",
			Params: struct {
				hookParams
				Name string `path:"name" description:"The tool." example:"alertmanager"`
			}{}, Body: map[string]any{}, Types: []string{object, text}, Status: http.StatusAccepted, Answer: accepted{},
			Errors: append([]int{http.StatusNotFound}, refusals...),
		},
		{
			Pattern: "POST /v2/enqueue", Tag: tagSend, Summary: "PagerDuty's Events API v2: trigger, acknowledge, resolve.",
			Params: hookParams{}, Body: map[string]any{}, Status: http.StatusAccepted, Answer: pagerDutyAnswer{}, Errors: refusals, Problems: pagerDutyAnswer{},
		},
		{
			Pattern: "POST /slack/webhook/{channel}", Tag: tagSend, Summary: "Slack's incoming webhook.",
			Params: struct {
				hookParams
				As string `query:"as" enum:"card,message" default:"card" description:"message posts the blocks, attachments and text as they are."`
				To string `path:"channel" description:"The conversation: a name without #, or an id." example:"ops"`
			}{}, Body: map[string]any{}, Status: http.StatusOK, Answer: Written(""), Errors: refusals, Problems: Written(""),
		},
		{
			Pattern: "POST /services/{path...}", Tag: tagSend, Summary: "Slack's incoming webhook at an address of Slack's, which ingest.services maps to a conversation.",
			Params: struct {
				hookParams
				Path string `path:"path" description:"What comes after /services/." example:"T00000000/B00000000/XXXXXXXX"`
			}{}, Body: map[string]any{}, Status: http.StatusOK, Answer: Written(""), Errors: append([]int{http.StatusNotFound}, refusals...), Problems: Written(""),
		},
	}
}

type limited struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" description:"The most that are listed."`
}

type identified struct {
	ID string `path:"id"`
}

func reading() []Operation {
	failures := []int{http.StatusServiceUnavailable}
	asked := append([]int{http.StatusBadRequest}, failures...)
	one := append([]int{http.StatusNotFound}, failures...)
	return []Operation{
		{Pattern: "GET /v1/alerts/{id}", Tag: tagRead, Summary: "The state of an accepted alert.", Params: struct {
			identified
			Wait string `query:"wait" description:"Answer as soon as it is no longer pending, or after this time, up to 2m." example:"30s"`
		}{}, Status: http.StatusOK, Answer: alert.Record{}, Errors: append([]int{http.StatusBadRequest}, one...)},
		{Pattern: "GET /v1/incidents", Tag: tagRead, Summary: "Incidents, worst first.", Params: struct {
			limited
			Match  []string `query:"match" description:"Matchers, which all have to match." example:"[\"team=web\"]"`
			Q      []string `query:"q" description:"Words that title, key or labels must contain."`
			State  string   `query:"state" description:"A list of open, acked and resolved, or all." example:"open,acked"`
			Mine   string   `query:"mine" description:"The id of a person: only what they work on."`
			Sort   string   `query:"sort" enum:"latest" description:"Latest first."`
			Offset int      `query:"offset" minimum:"0" maximum:"100000" description:"How many to skip."`
		}{}, Status: http.StatusOK, Answer: incidentList{}, Errors: asked},
		{Pattern: "GET /v1/incidents/{id}", Tag: tagRead, Summary: "One incident with its history.", Params: identified{}, Status: http.StatusOK, Answer: incidentDetail{}, Errors: one},
		{Pattern: "GET /v1/silences", Tag: tagRead, Summary: "Active silences, or all.", Params: struct {
			limited
			State string `query:"state" enum:"active,all"`
		}{}, Status: http.StatusOK, Answer: silenceList{}, Errors: asked},
		{Pattern: "GET /v1/deliveries", Tag: tagRead, Summary: "Deliveries, latest first.", Params: struct {
			limited
			State  string `query:"state" description:"A list of pending, sending, delivered, superseded, dead and dropped, or all." example:"dead"`
			Lane   string `query:"lane" description:"A conversation." example:"#ops"`
			Cursor string `query:"cursor" description:"next of the page before."`
		}{}, Status: http.StatusOK, Answer: deliveryList{}, Errors: asked},
		{Pattern: "GET /v1/deliveries/{id}", Tag: tagRead, Summary: "One delivery with its incident and its alerts.", Params: identified{}, Status: http.StatusOK, Answer: alert.DeliveryDetail{}, Errors: one},
		{Pattern: "GET /v1/ledger", Tag: tagRead, Summary: "How many accepted alerts are in which state.", Status: http.StatusOK, Answer: alert.Ledger{}, Errors: failures},
		{Pattern: "GET /v1/doctor", Tag: tagDaemon, Summary: "Everything that may be set up wrong, with its remedy; asks Slack, and may take a minute.", Status: http.StatusOK, Answer: alert.Checkup{}},
		{Pattern: "GET /v1/oncall", Tag: tagRead, Summary: "Who is notified of which alerts, and what people work on.", Status: http.StatusOK, Answer: onCallList{}, Errors: failures},
		{Pattern: "GET /v1/stats", Tag: tagRead, Summary: "Counts, medians (in nanoseconds) and the noisiest keys.", Params: struct {
			Window string `query:"window" default:"24h" description:"The time until now, from 1m to 30d; from 7d on that many days, the last of which is today." example:"7d"`
			Zone   string `query:"zone" default:"UTC" description:"The time zone of these days." example:"Europe/Berlin"`
		}{}, Status: http.StatusOK, Answer: alert.Stats{}, Errors: asked},
		{Pattern: "GET /healthz", Tag: tagDaemon, Summary: "Whether the process answers.", Status: http.StatusOK, Answer: liveness{}},
		{Pattern: "GET /readyz", Tag: tagDaemon, Summary: "Whether alerts are accepted and reach Slack.", Status: http.StatusOK, Answer: readiness{}, Errors: failures, Problems: readiness{}},
		{Pattern: "GET /metrics", Tag: tagDaemon, Summary: "Prometheus metrics.", Status: http.StatusOK, Answer: Written("")},
		{Pattern: "GET " + openAPIPath, Tag: tagDaemon, Summary: "This description.", Status: http.StatusOK, Answer: map[string]any{}},
	}
}

func acting() []Operation {
	refusals := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable}
	var all []Operation
	for _, verb := range []struct{ name, summary string }{
		{"ack", "Acknowledge an incident."}, {"unack", "Undo an acknowledgement."}, {"resolve", "Resolve an incident."},
		{"reopen", "Undo a resolution."}, {"assign", "Give an incident to somebody (to)."}, {"note", "Add a note to an incident."},
	} {
		all = append(all, Operation{Pattern: "POST /v1/incidents/{id}/" + verb.name, Tag: tagAct, Summary: verb.summary, Params: struct {
			once
			identified
		}{}, Body: actBody{}, Status: http.StatusOK, Answer: actResult{}, Errors: refusals})
	}
	all = append(all,
		Operation{Pattern: createSilence, Tag: tagAct, Summary: "Silence what matches, for a time or until a time.", Body: silenceBody{}, Status: http.StatusCreated, Answer: createdSilence{},
			Errors: []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable}},
		Operation{Pattern: "DELETE /v1/silences/{id}", Tag: tagAct, Summary: "End a silence early.", Params: struct {
			identified
			By string `query:"by" description:"Who ends it."`
		}{}, Status: http.StatusOK, Answer: endedSilence{}, Errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusServiceUnavailable}},
	)
	all = append(all, Operation{Pattern: "POST /v1/config/reload", Tag: tagDaemon, Summary: "Read the configuration again. It is applied as a whole, or with a mistake not at all.",
		Status: http.StatusOK, Answer: Reloaded{}, Errors: []int{http.StatusBadRequest}})
	for _, verb := range []struct{ name, one, many string }{
		{"retry", "Retry a dead letter.", "Retry dead letters."},
		{"drop", "Drop a dead letter or a pending delivery.", "Drop dead letters."},
	} {
		all = append(all,
			Operation{Pattern: "POST /v1/deliveries/{id}/" + verb.name, Tag: tagAct, Summary: verb.one, Params: identified{}, Status: http.StatusOK, Answer: alert.RetryResult{},
				Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}},
			Operation{Pattern: "POST /v1/deliveries/" + verb.name, Tag: tagAct, Summary: verb.many, Params: struct {
				Lane string `query:"lane" description:"Those of this conversation." example:"#ops"`
				All  bool   `query:"all" description:"All of them."`
			}{}, Status: http.StatusOK, Answer: alert.RetryResult{}, Errors: []int{http.StatusBadRequest, http.StatusServiceUnavailable}},
		)
	}
	return all
}

// beating are the requests about heartbeats.
func beating() []Operation {
	type named struct {
		Name string `path:"name" description:"The heartbeat." example:"nightly-backup"`
	}
	refusals := []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}
	all := []Operation{
		{Pattern: "GET /v1/heartbeats", Tag: tagRead, Summary: "All heartbeats.", Status: http.StatusOK, Answer: heartbeatList{}, Errors: []int{http.StatusServiceUnavailable}},
		{Pattern: "DELETE " + heartbeatPath, Tag: tagAct, Summary: "Forget a heartbeat.", Params: named{}, Status: http.StatusOK, Answer: Heartbeat{},
			Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}},
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodGet} {
		all = append(all, Operation{
			Pattern: method + " " + heartbeatPath, Tag: tagSend, Summary: "Send a heartbeat: an alert follows when the next one is missing.",
			Params: struct {
				named
				Every    string `query:"every" description:"How often it is sent; needed the first time, unless the configuration says so." example:"5m"`
				Grace    string `query:"grace" description:"How much later it may be. Default: half of every, up to an hour." example:"1m"`
				Severity string `query:"severity" default:"critical" description:"The severity of the alert."`
				Channel  string `query:"channel" description:"The conversation of the alert. Default: by the routes."`
				Token    string `query:"token" description:"The token, for senders that can send no header."`
			}{}, Status: http.StatusAccepted, Answer: Heartbeat{}, Errors: refusals,
		})
	}
	return all
}

// Failure is the body of error answers.
var Failure any = errorBody{}

// NeedsNoToken reports whether a path needs no token.
var NeedsNoToken = needsNoToken

// Patterns returns the patterns that the API serves, with webhooks for these paths.
func Patterns(opts Options) []string {
	var all patterns
	New(opts).handleAll(&all, true)
	return all
}

type patterns []string

func (p *patterns) Handle(pattern string, _ http.Handler) { *p = append(*p, pattern) }

func (p *patterns) HandleFunc(pattern string, _ func(http.ResponseWriter, *http.Request)) {
	*p = append(*p, pattern)
}
