package config

import (
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// The options that are named elsewhere too.
const (
	keyAppToken       = "slack.app_token"
	keyAppTokenFile   = "slack.app_token_file"
	keyBotToken       = "slack.bot_token"
	keyBotTokenFile   = "slack.bot_token_file"
	keySigning        = "slack.signing_secret"
	keySigningFile    = "slack.signing_secret_file"
	keyMode           = "slack.mode"
	keyAPIURL         = "slack.api_url"
	keyCAFile         = "slack.ca_file"
	keyTCP            = "listen.tcp"
	keySocket         = "listen.socket"
	keyToken          = "listen.token"
	keyTokenFile      = "listen.token_file"
	keyStore          = "store"
	keyDefaultChannel = "default_channel"
	keyRoutes         = "routes"
	keyMayAck         = "permissions.ack"
	keyMaySilence     = "permissions.silence"
	keyMaySend        = "permissions.send"
	keyMayAdmin       = "permissions.admin"
	keyMayMention     = "permissions.mention"
	keyExternal       = "permissions.external"
)

const (
	off     = "off"
	forever = "forever"
)

// The values of slack.mode.
const (
	SocketMode = "socket"
	HTTPMode   = "http"
)

// The values of when_unsure.
const (
	resend = "resend"
	hold   = "hold"
)

// spec is the name of an option in each place where it can be given, and what is
// allowed there.
type spec struct {
	key        string // dotted, as in YAML
	flag       string
	env        string
	credential string // name under $CREDENTIALS_DIRECTORY
	fileKey    string // the option that names a file with this secret
	secret     bool
	// token marks Slack's tokens, whose mistakes are warnings.
	token bool
	// bare marks an option that may be a number, true or false in YAML.
	bare bool
	// list marks an option that may have several values, and named one that may have
	// several with a name each.
	list, named bool
	// restart marks an option that a running daemon does not read again, restartIfNew one of
	// which it reads another value, but not the first or that there is none any more.
	restart, restartIfNew bool
	// fallback returns the default; nil means empty.
	fallback func(Input) string
}

// name is the last part of the key, as it is written below its section.
func (s spec) name() string { return s.key[strings.LastIndexByte(s.key, '.')+1:] }

func constant(value string) func(Input) string {
	return func(Input) string { return value }
}

// option is a spec with how its values are read and where they are put: in a T,
// such as the Config or a route.
type option[T any] struct {
	spec
	// set reads a value and puts it in target. It returns it as config show shows it.
	set func(target *T, text string) (shown string, f *flaw)
}

// opt makes an option of values that parse reads and put stores. A list's put is
// called once for each of its values.
func opt[T, V any](s spec, parse func(string) (V, *flaw), put func(*T, V)) option[T] {
	return option[T]{s, func(target *T, text string) (string, *flaw) {
		value, f := parse(text)
		if f != nil {
			return "", f
		}
		put(target, value)
		if spelling, ok := any(value).(string); ok {
			text = spelling
		}
		return text, nil
	}}
}

// onlyChecked is the put of an option that is used by its text.
func onlyChecked(*Config, string) {}

// options returns all options except those of routes, in the order of
// config/example.yaml.
func options() []option[Config] {
	return slices.Concat(generalOptions(), tlsOptions(), ingestOptions(), deliveryOptions(), healthOptions(), otherOptions())
}

func generalOptions() []option[Config] {
	return []option[Config]{
		opt(spec{key: keyAppToken, env: "SLACK_APP_TOKEN", credential: "slack_app_token", fileKey: keyAppTokenFile, secret: true, token: true},
			anything, onlyChecked),
		opt(spec{key: keyAppTokenFile}, parsePath, onlyChecked),
		opt(spec{key: keyBotToken, env: "SLACK_BOT_TOKEN", credential: "slack_bot_token", fileKey: keyBotTokenFile, secret: true, token: true},
			anything, onlyChecked),
		opt(spec{key: keyBotTokenFile}, parsePath, onlyChecked),
		opt(spec{key: keyMode, restart: true, fallback: constant(SocketMode)},
			oneOf(SocketMode, HTTPMode), func(c *Config, v string) { c.Slack.Mode = v }),
		opt(spec{key: keySigning, env: "SLACK_SIGNING_SECRET", credential: "slack_signing_secret", fileKey: keySigningFile, secret: true, token: true},
			anything, onlyChecked),
		opt(spec{key: keySigningFile}, parsePath, onlyChecked),
		opt(spec{key: "slack.listen", restart: true, fallback: constant("127.0.0.1:8127")},
			parseRequestsAddress, func(c *Config, v string) { c.Slack.Listen = v }),
		opt(spec{key: keyAPIURL, restart: true, flag: "slack-api-url", env: "SLACK_API_URL", fallback: constant("https://slack.com/api/")},
			parseAPIURL, func(c *Config, v string) { c.Slack.APIURL = v }),
		opt(spec{key: "slack.trace_url"}, parseTraceURL, func(c *Config, v string) { c.Slack.TraceURL = v }),
		opt(spec{key: keyCAFile, restart: true}, parsePath, func(c *Config, v string) { c.Slack.CAFile = v }),
		opt(spec{key: keyTCP, restart: true, flag: "listen", env: "TOCSIN_LISTEN", fallback: constant("127.0.0.1:8126")},
			parseTCP, func(c *Config, v string) { c.Listen.TCP = unlessOff(v) }),
		opt(spec{key: keySocket, restart: true, flag: "socket", env: "TOCSIN_SOCKET", fallback: Input.defaultSocket},
			parseSocket, func(c *Config, v string) { c.Listen.Socket = unlessOff(v) }),
		opt(spec{key: keyToken, env: "TOCSIN_API_TOKEN", credential: "tocsin_api_token", fileKey: keyTokenFile, secret: true},
			parseBearer, func(c *Config, v string) { c.Listen.Token = alert.Secret(v) }),
		opt(spec{key: keyTokenFile}, parsePath, onlyChecked),
		opt(spec{key: keyTokens}, anything, onlyChecked),
		opt(spec{key: "listen.trust_loopback", bare: true, fallback: constant("false")},
			parseTruth, func(c *Config, v bool) { c.Listen.TrustLoopback = v }),
		opt(spec{key: keyStore, restart: true, flag: "store", env: "TOCSIN_STORE", fallback: Input.defaultStore},
			parseStore, func(c *Config, v string) { c.Store = StoreURL(v) }),
		opt(spec{key: keyDefaultChannel, flag: "default-channel", env: "SLACK_CHANNEL_ID"},
			parseChannel, func(c *Config, v string) { c.DefaultChannel, c.Routing.Default = v, v }),
		opt(spec{key: "fallback_channel"}, parseChannel, func(c *Config, v string) { c.FallbackChannel = v }),
	}
}

func deliveryOptions() []option[Config] {
	return []option[Config]{
		opt(spec{key: "delivery.digest_above", flag: "digest-above", bare: true, fallback: constant("5")},
			parseCount, func(c *Config, v int) { c.Delivery.DigestAbove = v }),
		opt(spec{key: "delivery.flapping.times", bare: true, fallback: constant("5")},
			parseCount, func(c *Config, v int) { c.Delivery.FlappingTimes = v }),
		opt(spec{key: "delivery.flapping.within", fallback: constant("5m")},
			parseDuration, func(c *Config, v time.Duration) { c.Delivery.FlappingWithin = v }),
		opt(spec{key: "delivery.reopen_within", fallback: constant("30m")},
			parseDuration, func(c *Config, v time.Duration) { c.Routing.ReopenWithin = v }),
		opt(spec{key: "delivery.info_expires_in", fallback: constant("1h")},
			parseDurationOrForever, func(c *Config, v time.Duration) { c.Routing.InfoExpiresIn = v }),
		opt(spec{key: "delivery.give_up_after", flag: "give-up-after", fallback: constant("24h")},
			parseDuration, func(c *Config, v time.Duration) { c.Delivery.GiveUpAfter = v }),
		opt(spec{key: "delivery.probe_every", fallback: constant("5m")},
			parseDuration, func(c *Config, v time.Duration) { c.Delivery.ProbeEvery = v }),
		opt(spec{key: "delivery.max_pending", bare: true, fallback: constant("1000000")},
			parseMany, func(c *Config, v int64) { c.Delivery.MaxPending = v }),
		opt(spec{key: "delivery.retention", fallback: constant("30d")},
			parseDuration, func(c *Config, v time.Duration) { c.Delivery.Retention = v }),
		opt(spec{key: "delivery.dead_retention", fallback: constant(forever)},
			parseDurationOrForever, func(c *Config, v time.Duration) { c.Delivery.DeadRetention = v }),
		opt(spec{key: "delivery.thread", fallback: constant(string(alert.ThreadImportant))},
			parseThread, func(c *Config, v alert.ThreadPolicy) { c.Routing.Thread = v }),
		opt(spec{key: "delivery.broadcast", bare: true, fallback: constant("false")},
			parseTruth, func(c *Config, v bool) { c.Routing.Broadcast = v }),
		opt(spec{key: "delivery.when_unsure", fallback: constant(resend)},
			parseHold, func(c *Config, v bool) { c.Routing.HoldUnsure = v }),
		opt(spec{key: "delivery.last_resort", list: true, bare: true},
			anything, func(c *Config, v string) { c.LastResort = append(c.LastResort, v) }),
	}
}

func healthOptions() []option[Config] {
	return []option[Config]{
		opt(spec{key: "health.connection", fallback: constant("60s")},
			parseDuration, func(c *Config, v time.Duration) { c.Health.Connection = v }),
		opt(spec{key: "health.delivery", fallback: constant("2m")},
			parseDuration, func(c *Config, v time.Duration) { c.Health.Delivery = v }),
		opt(spec{key: "health.store", restart: true, fallback: constant("5s")},
			parseDuration, func(c *Config, v time.Duration) { c.Health.Store = v }),
	}
}

// otherOptions are those of times, routes, permissions and the log.
func otherOptions() []option[Config] {
	return []option[Config]{
		opt(spec{key: keyTimes}, anything, onlyChecked),
		opt(spec{key: keyRoutes}, anything, onlyChecked),
		opt(spec{key: keyInhibit}, anything, onlyChecked),
		opt(spec{key: keyMayAck, list: true, fallback: constant(everyone)},
			parsePermit, func(c *Config, v string) { c.Permissions.Ack = with(c.Permissions.Ack, v) }),
		opt(spec{key: keyMaySilence, list: true, fallback: constant(everyone)},
			parsePermit, func(c *Config, v string) { c.Permissions.Silence = with(c.Permissions.Silence, v) }),
		opt(spec{key: keyMaySend, list: true, fallback: constant(everyone)},
			parsePermit, func(c *Config, v string) { c.Permissions.Send = with(c.Permissions.Send, v) }),
		opt(spec{key: keyMayAdmin, list: true, fallback: constant(nobody)},
			parsePermit, func(c *Config, v string) { c.Permissions.Admin = with(c.Permissions.Admin, v) }),
		opt(spec{key: keyMayMention, list: true, fallback: constant(nobody)},
			parseMentionable, func(c *Config, v string) { c.Routing.Mentionable = with(c.Routing.Mentionable, v) }),
		opt(spec{key: keyExternal, list: true, fallback: constant(nobody)},
			parseExternal, func(c *Config, v string) { c.Permissions.External = with(c.Permissions.External, v) }),
		opt(spec{key: "log.level", flag: "log-level", fallback: constant("info")},
			oneOf("debug", "info", "warn", "error"), func(c *Config, v string) { c.Log.Level = v }),
		opt(spec{key: "log.format", restart: true, flag: "log-format", fallback: constant("auto")},
			oneOf("auto", "json", "console"), func(c *Config, v string) { c.Log.Format = v }),
	}
}

// with adds a value that all lacks.
func with[T comparable](all []T, value T) []T {
	if slices.Contains(all, value) {
		return all
	}
	return append(all, value)
}

func unlessOff(value string) string {
	if value == off {
		return ""
	}
	return value
}

// specs returns the specs of all options, including those of routes.
func specs() []spec {
	return slices.Concat(specsOf(options()), specsOf(routeOptions()), specsOf(stepOptions()), specsOf(quietOptions()), specsOf(timesOptions()), specsOf(intervalOptions()), specsOf(rangeOptions()), specsOf(inhibitOptions()), specsOf(serviceOptions()), specsOf(heartbeatOptions()), specsOf(webhookOptions()), specsOf(senderOptions()))
}

func specsOf[T any](options []option[T]) []spec {
	all := make([]spec, len(options))
	for i, o := range options {
		all[i] = o.spec
	}
	return all
}

// FlagNames returns the names that Input.Flags understands, sorted.
func FlagNames() []string {
	names := []string{"config"}
	for _, s := range specs() {
		if s.flag != "" {
			names = append(names, s.flag)
		}
	}
	slices.Sort(names)
	return names
}

// specOf finds an option of the file, including those of routes.
func specOf(key string) (spec, bool) {
	all := specs()
	i := slices.IndexFunc(all, func(s spec) bool { return s.key == key })
	if i < 0 {
		return spec{}, false
	}
	return all[i], true
}

// below returns the names that are allowed in a section, or at the top level if
// section is empty, each once and in the order of the table.
func below(section string) []string {
	var names []string
	for _, s := range specs() {
		rest, inside := s.key, section == ""
		if section != "" {
			rest, inside = strings.CutPrefix(s.key, section+".")
		}
		name, _, _ := strings.Cut(rest, ".")
		if inside && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func isSection(path string) bool { return len(below(path)) > 0 }
