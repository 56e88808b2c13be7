package api

import (
	"net/http"
	"time"

	"github.com/swaggest/jsonschema-go"
)

const tagAlertmanager = "As Alertmanager"

// amProblem is what is wrong, as a JSON string.
type amProblem string

// amPosting is what Alertmanager's API calls postableAlert. It is for the description alone:
// package ingest reads it.
type amPosting struct {
	Labels       map[string]string `json:"labels" required:"true"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt,omitzero"`
	EndsAt       time.Time         `json:"endsAt,omitzero" description:"When it resolves unless it is posted again. Default: five minutes after it was posted."`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

type amFiltered struct {
	Filter []string `query:"filter" description:"Matchers, which all have to match." example:"[\"team=web\"]"`
}

type amAsked struct {
	amFiltered
	Active    bool   `query:"active" default:"true" description:"List the alerts that are not suppressed."`
	Silenced  bool   `query:"silenced" default:"true" description:"List those that are silenced."`
	Inhibited bool   `query:"inhibited" default:"true" description:"List those that are inhibited."`
	Receiver  string `query:"receiver" description:"A regular expression that the name of a receiver has to match as a whole."`
}

// asAlertmanager are the requests of Alertmanager's API, version 2.
func asAlertmanager() []Operation {
	eitherWay := jsonschema.OneOf(amProblem(""), amMalformed{})
	failures := []int{http.StatusServiceUnavailable}
	asked := append([]int{http.StatusBadRequest}, failures...)
	one := append([]int{http.StatusNotFound, http.StatusUnprocessableEntity}, failures...)
	noSilence := map[int]any{http.StatusNotFound: nil, http.StatusUnprocessableEntity: amMalformed{}}
	badBody := map[int]any{http.StatusBadRequest: eitherWay, http.StatusUnprocessableEntity: amMalformed{}}
	all := []Operation{
		{Pattern: "POST /api/v2/alerts", Summary: "Post alerts, as Prometheus does.", Params: hookParams{}, Body: []amPosting{},
			Errors: []int{
				http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
				http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable,
			}, Others: badBody},
		{Pattern: "GET /api/v2/alerts", Summary: "The alerts that have not resolved.", Params: amAsked{}, Answer: []amAlert{}, Errors: asked},
		{Pattern: "GET /api/v2/alerts/groups", Summary: "The same by receiver and group.", Params: amAsked{}, Answer: []amGroup{}, Errors: asked},
		{Pattern: "GET /api/v2/receivers", Summary: "The conversations of the routes.", Answer: []amReceiver{}},
		{Pattern: "GET /api/v2/status", Summary: "The routes, as Alertmanager's configuration.", Answer: amStatus{}},
		{Pattern: "GET /api/v2/silences", Summary: "Silences, those that have ended too.", Params: amFiltered{}, Answer: []amSilence{}, Errors: asked},
		{Pattern: "POST /api/v2/silences", Summary: "Create a silence, or change the one with this id.", Body: amPosted{}, Answer: amMade{},
			Errors: append([]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge}, one...), Others: badBody},
		{Pattern: "GET /api/v2/silence/{id}", Summary: "One silence.", Params: identified{}, Answer: amSilence{}, Errors: one, Others: noSilence},
		{Pattern: "DELETE /api/v2/silence/{id}", Summary: "End a silence early.", Params: identified{}, Errors: one, Others: noSilence},
	}
	for n := range all {
		all[n].Tag, all[n].Status, all[n].Problems = tagAlertmanager, http.StatusOK, amProblem("")
	}
	return append(all,
		Operation{Pattern: "GET /-/healthy", Tag: tagAlertmanager, Summary: "Whether the process answers.", Status: http.StatusOK, Answer: Written("")},
		Operation{Pattern: "GET /-/ready", Tag: tagAlertmanager, Summary: "The same as /readyz.", Status: http.StatusOK, Answer: readiness{},
			Errors: failures, Others: map[int]any{http.StatusServiceUnavailable: readiness{}}},
	)
}
