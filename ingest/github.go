package ingest

import (
	"cmp"
	"slices"
	"strings"

	"tocsin/alert"
)

// github is GitHub's webhook: workflow runs, check suites and deployments. Other events
// are not alerts.
func github() Format {
	return Format{
		Name: "github", Tool: "GitHub", Path: webhooks + "github",
		Docs:   "https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_run",
		Sample: "github-workflow_run.json",
		Marks:  [][]string{{"repository", "sender", "action"}, {"repository", "sender", "deployment_status"}, {"zen", "hook_id"}},
		Read:   readGitHub,
		Signed: func(secret string, r Request) bool {
			sum, ok := strings.CutPrefix(r.Header.Get("X-Hub-Signature-256"), "sha256=")
			return ok && signedWith(secret, r.Body, sum)
		},
	}
}

// githubEvents are the events that may be alerts. Each has a member of its name.
var githubEvents = [...]string{"workflow_run", "check_suite", "deployment_status"}

type githubBody struct {
	Action           text
	WorkflowRun      githubRun `json:"workflow_run"`
	CheckSuite       githubRun `json:"check_suite"`
	Workflow         struct{ Name text }
	DeploymentStatus struct {
		State, Description, Environment text
		TargetURL                       text `json:"target_url"`
		LogURL                          text `json:"log_url"`
		EnvironmentURL                  text `json:"environment_url"`
		CreatedAt                       text `json:"created_at"`
	} `json:"deployment_status"`
	Deployment struct {
		Ref, SHA, Task, Environment text
		Creator                     struct{ Login text }
	}
	Repository struct {
		FullName text `json:"full_name"`
		HTMLURL  text `json:"html_url"`
	}
	Sender struct{ Login text }
	Zen    text
}

// githubRun is a workflow run or a check suite.
type githubRun struct {
	Name, Status, Conclusion, Event text
	DisplayTitle                    text `json:"display_title"`
	HeadBranch                      text `json:"head_branch"`
	HeadSHA                         text `json:"head_sha"`
	RunNumber                       text `json:"run_number"`
	RunAttempt                      text `json:"run_attempt"`
	HTMLURL                         text `json:"html_url"`
	UpdatedAt                       text `json:"updated_at"`
	HeadRepository                  struct {
		FullName text `json:"full_name"`
	} `json:"head_repository"`
	Actor        struct{ Login text }
	App          struct{ Name text }
	HeadCommit   struct{ Message text }  `json:"head_commit"`
	PullRequests []struct{ Number text } `json:"pull_requests"`
}

func readGitHub(r Request) (alert.Intake, error) {
	var b githubBody
	notes, err := readJSON(r, &b)
	if err != nil {
		return alert.Intake{}, err
	}
	in := alert.Intake{Notes: notes}
	event := r.Header.Get("X-GitHub-Event")
	var a alert.Alert
	var ok bool
	switch {
	case or(b.DeploymentStatus.State) != "": // it may come with the workflow run that deploys
		a, ok = b.deployment()
	case b.WorkflowRun.says():
		a, ok = b.run(b.WorkflowRun, or(b.WorkflowRun.Name, b.Workflow.Name, "workflow"))
	case b.CheckSuite.says():
		a, ok = b.run(b.CheckSuite, or(b.CheckSuite.App.Name, "checks"))
	case slices.Contains(githubEvents[:], event), event == "" && says(r, githubEvents[:]...), event == "" && or(b.Repository.FullName, b.Zen, b.Sender.Login) == "":
		return alert.Intake{}, errNothing
	}
	if !ok {
		in.Notes = append(in.Notes, ignored("event", cmp.Or(event, or(b.Action))))
		return in, nil
	}
	if id := r.Header.Get("X-GitHub-Delivery"); id != "" {
		a.IdempotencyKey = "github/" + id // GitHub repeats it when it delivers again
	}
	in.Alerts = []alert.Alert{a}
	return in, nil
}

// says reports whether it says how the run went, or that it is not finished.
func (r githubRun) says() bool {
	return or(r.Conclusion) != "" || or(r.Status) != "" && or(r.Status) != "completed"
}

// run is a finished workflow run or check suite.
func (b githubBody) run(r githubRun, name string) (alert.Alert, bool) {
	conclusion := or(r.Conclusion)
	repository, branch := b.repository(), or(r.HeadBranch)
	if from := or(r.HeadRepository.FullName); from != "" && !strings.EqualFold(from, repository) {
		branch = from + ":" + branch // a fork's branch may have the same name
	}
	a, ok := finished(conclusion)
	a.Source, a.Key = "github", strings.Join([]string{repository, name, branch}, "/")
	happened(&a, "updated_at", r.UpdatedAt)
	a.Title = repository + ": " + name + " " + outcomeWord(conclusion)
	if branch != "" {
		a.Title += " on " + branch
	}
	commit, _, _ := strings.Cut(string(r.HeadCommit.Message), "\n")
	a.Text = cmp.Or(or(r.DisplayTitle), strings.TrimSpace(commit))
	number := or(r.RunNumber)
	if attempt := or(r.RunAttempt); attempt != "" && attempt != "1" {
		number += " attempt " + attempt
	}
	a.Labels = said("repository", repository, "workflow", name, "branch", branch, "run", number, "actor", or(r.Actor.Login, b.Sender.Login),
		"event", or(r.Event), "commit", shortSHA(r.HeadSHA))
	link(&a, "Run", string(r.HTMLURL))
	link(&a, "Commit", under(b.Repository.HTMLURL, "commit", r.HeadSHA))
	for _, pull := range r.PullRequests {
		link(&a, "Pull request", under(b.Repository.HTMLURL, "pull", pull.Number))
	}
	return a, ok
}

func (b githubBody) deployment() (alert.Alert, bool) {
	s := b.DeploymentStatus
	repository, environment := b.repository(), or(s.Environment, b.Deployment.Environment, "an environment")
	a, ok := finished(or(s.State))
	a.Source, a.Key = "github", repository+"/deployment/"+environment
	happened(&a, "created_at", s.CreatedAt)
	a.Title = repository + ": deployment to " + environment + " " + outcomeWord(or(s.State))
	a.Text = or(s.Description)
	a.Labels = said("repository", repository, "environment", environment, "branch", or(b.Deployment.Ref), "actor", or(b.Deployment.Creator.Login, b.Sender.Login),
		"commit", shortSHA(b.Deployment.SHA))
	link(&a, "Log", or(s.LogURL, s.TargetURL))
	link(&a, "Environment", string(s.EnvironmentURL))
	link(&a, "Commit", under(b.Repository.HTMLURL, "commit", b.Deployment.SHA))
	return a, ok
}

func (b githubBody) repository() string { return or(b.Repository.FullName, "a repository") }

// shortSHA is a commit's id as people write it.
func shortSHA(sha text) string {
	s := or(sha)
	return s[:min(len(s), 8)]
}

// under is the page of something in a project, or empty.
func under(project text, kind string, id text) string {
	if or(project) == "" || or(id) == "" {
		return ""
	}
	return strings.TrimSuffix(or(project), "/") + "/" + kind + "/" + or(id)
}
