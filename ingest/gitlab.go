package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"

	"tocsin/alert"
)

// gitlab is GitLab's webhook: pipelines and jobs. Other events are not alerts.
func gitlab() Format {
	return Format{
		Name: "gitlab", Tool: "GitLab", Path: webhooks + "gitlab",
		Docs:   "https://docs.gitlab.com/user/project/integrations/webhook_events/#pipeline-events",
		Sample: "gitlab-pipeline.json",
		Marks:  [][]string{{"object_kind", "project"}, {"object_kind", "build_status"}, {"object_kind", "object_attributes"}},
		Read:   readGitLab,
		Signed: func(secret string, r Request) bool {
			return subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Gitlab-Token")), []byte(secret)) == 1
		},
	}
}

type gitlabBody struct {
	ObjectKind       text `json:"object_kind"`
	ObjectAttributes struct {
		ID, Ref, SHA, Status, Duration, URL, Source text
		FinishedAt                                  text `json:"finished_at"`
	} `json:"object_attributes"`
	User    struct{ Name, Username text }
	Project struct {
		Name   text
		WebURL text `json:"web_url"`
		Path   text `json:"path_with_namespace"`
	}
	ProjectName text `json:"project_name"`
	Commit      struct{ Title, Message, SHA, URL text }
	Builds      []gitlabJob
	Repository  struct{ Homepage text }
	Merge       struct{ URL text } `json:"merge_request"`

	// The members of a job's body.
	Ref, SHA     text
	BuildID      text `json:"build_id"`
	BuildName    text `json:"build_name"`
	BuildStage   text `json:"build_stage"`
	BuildStatus  text `json:"build_status"`
	FinishedAt   text `json:"build_finished_at"`
	Duration     text `json:"build_duration"`
	AllowFailure text `json:"build_allow_failure"`
	Reason       text `json:"build_failure_reason"`
}

// gitlabJob is a job of a pipeline.
type gitlabJob struct {
	Stage, Name, Status text
	AllowFailure        text `json:"allow_failure"`
	FailureReason       text `json:"failure_reason"`
}

func readGitLab(r Request) (alert.Intake, error) {
	var b gitlabBody
	notes, err := readJSON(r, &b)
	if err != nil {
		return alert.Intake{}, err
	}
	in := alert.Intake{Notes: notes}
	var a alert.Alert
	var ok bool
	switch kind := or(b.ObjectKind); {
	case or(b.BuildStatus) != "":
		a, ok = b.job()
	case b.outcome() != "" && (kind == "pipeline" || kind == "" && len(b.Builds) > 0):
		a, ok = b.pipeline()
	case kind == "", kind == "pipeline", kind == "build":
		return alert.Intake{}, errNothing
	}
	if !ok {
		in.Notes = append(in.Notes, ignored("event", or(b.ObjectKind)))
		return in, nil
	}
	if id := r.Header.Get("X-Gitlab-Event-UUID"); id != "" {
		// GitLab repeats both when it sends again. The id alone is also that of other events, if a
		// webhook has caused them.
		sum := sha256.Sum256(r.Body)
		a.IdempotencyKey = "gitlab/" + id + "/" + hex.EncodeToString(sum[:8])
	}
	in.Alerts = []alert.Alert{a}
	return in, nil
}

// fails reports whether the job makes its pipeline fail.
func (j gitlabJob) fails() bool { return or(j.Status) == "failed" && or(j.AllowFailure) != "true" }

// outcome is the status of the pipeline, or failed if it is missing and a job has failed.
func (b gitlabBody) outcome() string {
	if status := or(b.ObjectAttributes.Status); status != "" || !slices.ContainsFunc(b.Builds, gitlabJob.fails) {
		return status
	}
	return "failed"
}

func (b gitlabBody) pipeline() (alert.Alert, bool) {
	p := b.ObjectAttributes
	a, ok := finished(b.outcome())
	project, branch := b.project(), or(p.Ref)
	a.Source, a.Key = "gitlab", project+"/"+branch
	happened(&a, "finished_at", p.FinishedAt)
	a.Title = project + ": pipeline " + b.outcome()
	if branch != "" {
		a.Title += " on " + branch
	}
	var failed, stages []string
	for _, job := range b.Builds {
		if !job.fails() {
			continue
		}
		line := "Failed: " + or(job.Name, "a job")
		if reason := strings.ReplaceAll(or(job.FailureReason), "_", " "); reason != "" {
			line += " (" + reason + ")"
		}
		failed = append(failed, line)
		if stage := or(job.Stage); stage != "" && !slices.Contains(stages, stage) {
			stages = append(stages, stage)
		}
	}
	a.Text = paragraphs(b.commitTitle(), strings.Join(failed, "\n"))
	a.Labels = said("project", project, "branch", branch, "stage", strings.Join(stages, ", "), "duration", seconds(p.Duration), "pipeline", or(p.ID),
		"actor", or(b.User.Name, b.User.Username), "commit", shortSHA(p.SHA), "trigger", or(p.Source))
	page := p.URL
	if or(page) == "" {
		page = text(under(b.Project.WebURL, "-/pipelines", p.ID))
	}
	link(&a, "Pipeline", string(page))
	link(&a, "Merge request", string(b.Merge.URL))
	link(&a, "Commit", string(b.Commit.URL))
	return a, ok
}

func (b gitlabBody) job() (alert.Alert, bool) {
	a, ok := finished(or(b.BuildStatus))
	project, branch, name := b.project(), or(b.Ref), or(b.BuildName, "a job")
	if or(b.AllowFailure) == "true" && a.Status == alert.Firing {
		a.Severity = alert.Warning
	}
	a.Source, a.Key = "gitlab", project+"/"+branch+"/"+name
	happened(&a, "build_finished_at", b.FinishedAt)
	a.Title = project + ": job " + name + " " + or(b.BuildStatus) + " on " + branch
	a.Text = paragraphs(b.commitTitle(), strings.ReplaceAll(or(b.Reason), "_", " "))
	a.Labels = said("project", project, "branch", branch, "stage", or(b.BuildStage), "job", name, "duration", seconds(b.Duration),
		"actor", or(b.User.Name, b.User.Username), "commit", shortSHA(text(or(b.SHA, b.Commit.SHA))))
	home := text(or(b.Project.WebURL, b.Repository.Homepage))
	link(&a, "Job", under(home, "-/jobs", b.BuildID))
	link(&a, "Commit", string(b.Commit.URL))
	return a, ok
}

func (b gitlabBody) project() string {
	return or(b.Project.Path, text(strings.ReplaceAll(string(b.ProjectName), " / ", "/")), b.Project.Name, "a project")
}

func (b gitlabBody) commitTitle() string {
	first, _, _ := strings.Cut(string(b.Commit.Message), "\n")
	return or(b.Commit.Title, text(first))
}
