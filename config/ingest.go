package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"tocsin/alert"
)

// Ingest is what other tools need to post their alerts.
type Ingest struct {
	// Secrets are what tools sign their requests with, by the name of the webhook.
	Secrets map[string]alert.Secret
	// Services are the conversations of the paths of Slack's incoming webhooks,
	// by what follows /services/, as in T0000/B0000/XXXX.
	Services map[alert.Secret]string
	// ImageHosts are those from which images are fetched.
	ImageHosts alert.ImageHosts
	// Heartbeats are those that are expected, by name.
	Heartbeats map[string]alert.Terms
	// Webhooks are those by expressions.
	Webhooks []Webhook
}

// keyServices are the paths of Slack's incoming webhooks.
const keyServices = "ingest.services"

// signers are the webhooks whose tools sign their requests.
func signers() []string { return []string{"github", "gitlab", "sentry"} }

func ingestOptions() []option[Config] {
	var all []option[Config]
	for _, name := range signers() {
		key := "ingest." + name + ".secret"
		all = append(all,
			opt(spec{
				key: key, env: "TOCSIN_" + strings.ToUpper(name) + "_SECRET", credential: "tocsin_" + name + "_secret", fileKey: key + "_file", secret: true,
			}, parseSecret, func(c *Config, v string) {
				if c.Ingest.Secrets == nil {
					c.Ingest.Secrets = map[string]alert.Secret{}
				}
				c.Ingest.Secrets[name] = alert.Secret(v)
			}),
			opt(spec{key: key + "_file"}, parsePath, onlyChecked))
	}
	return append(all,
		opt(spec{key: "ingest.image_hosts", list: true}, parseImageHost, func(c *Config, v string) { c.Ingest.ImageHosts = with(c.Ingest.ImageHosts, v) }),
		opt(spec{key: keyServices}, anything, onlyChecked), opt(spec{key: keyWebhooks}, anything, onlyChecked), opt(spec{key: keyHeartbeats}, anything, onlyChecked))
}

// parseImageHost accepts host and host:port, also as a part of an address.
func parseImageHost(value string) (string, *flaw) {
	host := strings.ToLower(value)
	u, err := url.Parse("//" + host)
	if strings.Contains(host, "://") {
		u, err = url.Parse(host)
	}
	if err != nil || u.Hostname() == "" || u.User != nil || !isHost(u.Hostname()) || strings.Trim(u.Path, "/") != "" {
		return "", &flaw{message: printable(value) + " is not a host", write: []string{"grafana.internal", "grafana.internal:3000"}}
	}
	return u.Host, nil
}

func parseSecret(value string) (string, *flaw) {
	if secret := strings.TrimSpace(value); secret != "" {
		return secret, nil
	}
	return "", &flaw{message: "is empty", advice: "write the secret that the tool has (openssl rand -hex 32 makes one)"}
}

// service is a path of Slack's incoming webhooks and where its alerts go.
type service struct{ path, channel string }

func serviceOptions() []option[service] {
	return []option[service]{
		opt(spec{key: keyServices + ".path", secret: true}, parseService, func(s *service, v string) { s.path = v }),
		opt(spec{key: keyServices + ".channel"}, parseChannel, func(s *service, v string) { s.channel = v }),
	}
}

var servicePath = regexp.MustCompile(`^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$`)

// parseService accepts T…/B…/X…, also as a part of Slack's address. What is wrong is not
// quoted, because the path is a secret.
func parseService(value string) (string, *flaw) {
	path := strings.TrimSpace(value)
	if _, after, ok := strings.Cut(path, "/services/"); ok {
		path = after
	}
	if path = strings.Trim(path, "/"); !servicePath.MatchString(path) {
		return "", &flaw{message: "is not the path of an incoming webhook", write: []string{"T00000000/B00000000/a-long-random-word"}}
	}
	return path, nil
}

// readServices reads ingest.services.
func (l *loader) readServices() {
	var channels []string
	for _, s := range l.doc.groups[keyServices] {
		var one service
		mistakes := len(l.problems)
		applyAll(l, serviceOptions(), s, &one)
		l.need(s, keyServices+".path", "it is what the tool posts to", "path: T00000000/B00000000/a-long-random-word")
		l.need(s, keyServices+".channel", "it says where the alerts go", `channel: "#ops"`)
		if len(l.problems) > mistakes {
			continue
		}
		if _, twice := l.config.Ingest.Services[alert.Secret(one.path)]; twice {
			l.fail(s.at.problem(fmt.Sprintf("%s has one path twice", keyServices), "keep one of them"))
			continue
		}
		if l.config.Ingest.Services == nil {
			l.config.Ingest.Services = map[alert.Secret]string{}
		}
		l.config.Ingest.Services[alert.Secret(one.path)] = one.channel
		if !slices.Contains(channels, one.channel) {
			channels = append(channels, one.channel)
		}
	}
	if len(channels) > 0 {
		l.doc.values[keyServices] = given{value: strings.Join(channels, listed), origin: l.doc.mentioned[keyServices]}
	}
}
