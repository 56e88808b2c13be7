package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml" //nolint:depguard // it reads examples for other programs

	"tocsin/alert"
	"tocsin/playground"
)

// exampleReplica is how an example runs each of its replicas.
type exampleReplica struct {
	count   int
	env     map[string]string
	secrets []string // the files in CREDENTIALS_DIRECTORY
	probes  []string // paths
}

// composeReplica reads examples/compose/replicas.yaml.
func composeReplica(t *testing.T, text []byte) exampleReplica {
	t.Helper()
	var file struct {
		Services map[string]struct {
			Deploy      struct{ Replicas int }
			Environment map[string]string
			Secrets     []string
		}
		Secrets map[string]struct{ File string }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for name, service := range file.Services {
		for _, secret := range service.Secrets {
			if file.Secrets[secret].File == "" {
				t.Errorf("the secret %s of %s has no file", secret, name)
			}
		}
	}
	s := file.Services["tocsin"]
	return exampleReplica{s.Deploy.Replicas, s.Environment, s.Secrets, nil}
}

// kubernetesReplica reads examples/kubernetes/tocsin.yaml.
func kubernetesReplica(t *testing.T, text []byte) exampleReplica {
	t.Helper()
	type probe struct {
		HTTPGet struct{ Path string } `yaml:"httpGet"`
	}
	type object struct {
		Kind string
		Spec struct {
			Replicas       int
			MaxUnavailable int `yaml:"maxUnavailable"`
			Template       struct {
				Spec struct {
					Containers []struct {
						Env            []struct{ Name, Value string }
						ReadinessProbe probe `yaml:"readinessProbe"`
						LivenessProbe  probe `yaml:"livenessProbe"`
					}
				}
			}
		}
	}
	objects := map[string]object{}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		objects[o.Kind] = o
	}
	deployment := objects["Deployment"].Spec
	if n := objects["PodDisruptionBudget"].Spec.MaxUnavailable; n != 1 {
		t.Errorf("%d replicas may be ended at once", n)
	}
	c := deployment.Template.Spec.Containers[0]
	r := exampleReplica{count: deployment.Replicas, env: map[string]string{}, probes: []string{c.ReadinessProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path}}
	for _, e := range c.Env {
		r.env[e.Name] = e.Value
	}
	for _, secret := range regexp.MustCompile(`--from-file=(\w+)`).FindAllSubmatch(text, -1) {
		r.secrets = append(r.secrets, string(secret[1]))
	}
	return r
}

// prepare makes one of the replicas, with the files and addresses of a test. It fails if
// what the example names does not fit.
func (r exampleReplica) prepare(t *testing.T, s *playground.Server, store string) *process {
	t.Helper()
	p := prepare(t, s, map[string]string{"SLACK_APP_TOKEN": "", "SLACK_BOT_TOKEN": "", "TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	files := map[string]string{"slack_app_token": s.AppToken(), "slack_bot_token": s.BotToken(), "tocsin_api_token": "token", "pgpass": "*:*:*:*:password\n"}
	for _, name := range r.secrets {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(files[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range r.env {
		switch name {
		case "TOCSIN_STORE":
			at, err := url.Parse(value)
			if err != nil {
				t.Fatal(err)
			}
			folder, file := filepath.Split(at.Query().Get("passfile"))
			if filepath.Clean(folder) != r.env["CREDENTIALS_DIRECTORY"] || !slices.Contains(r.secrets, file) {
				t.Errorf("the password is to be in %s%s", folder, file)
			}
			p.env[name] = store + "&passfile=" + url.QueryEscape(filepath.Join(p.dir, file))
		case "CREDENTIALS_DIRECTORY":
			p.env[name] = p.dir
		case "TOCSIN_LISTEN", "TOCSIN_SOCKET":
		default:
			p.env[name] = value
		}
	}
	return p
}

func TestExampleReplicasStartAndAnswerTheirProbes(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(*testing.T, []byte) exampleReplica{"compose/replicas.yaml": composeReplica, "kubernetes/tocsin.yaml": kubernetesReplica} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("../../examples", name))
			if err != nil {
				t.Fatal(err)
			}
			s, store := slack(t, playground.Options{}), sharedStore(t)
			example := read(t, text)
			if example.count != 3 {
				t.Errorf("it has %d replicas", example.count)
			}
			var all []*process
			for range example.count {
				p := example.prepare(t, s, store)
				p.start()
				all = append(all, p)
			}
			first := active(t, all)
			for _, p := range all {
				for _, path := range example.probes {
					if status, body, err := exchange(t, &http.Client{}, http.MethodGet, "http://"+p.env["TOCSIN_LISTEN"]+path, ""); err != nil || status != http.StatusOK {
						t.Errorf("%s is answered %d %s, %v", path, status, body, err)
					}
				}
				if status, _, err := exchange(t, &http.Client{}, http.MethodPost, "http://"+p.env["TOCSIN_LISTEN"]+"/v1/alerts", `{"title":"without a token"}`); err != nil || status != http.StatusUnauthorized {
					t.Errorf("without the token a push is answered %d, %v", status, err)
				}
			}
			got := allBut(all, first)[0].mustPush(firing("a", "through a standby"))
			if got[0].Effect == alert.EffectQueued {
				first.eventually("it is decided", func() bool { return first.ledger().Total.Accepted == 1 })
			}
			first.eventually("it is shown", func() bool {
				top, _ := cards(s.Messages("#alerts"))
				return len(top) == 1 && strings.Contains(top[0].Text, "through a standby")
			})
		})
	}
}
