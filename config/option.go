package config

import (
	"slices"
	"strings"

	"tocsin/alert"
)

const (
	keyAppToken       = "slack.app_token"
	keyAppTokenFile   = "slack.app_token_file"
	keyBotToken       = "slack.bot_token"
	keyBotTokenFile   = "slack.bot_token_file"
	keyAPIURL         = "slack.api_url"
	keyTCP            = "listen.tcp"
	keySocket         = "listen.socket"
	keyToken          = "listen.token"
	keyTokenFile      = "listen.token_file"
	keyStore          = "store"
	keyDefaultChannel = "default_channel"
	keyFallback       = "fallback_channel"
	keyDigestAbove    = "delivery.digest_above"
	keyGiveUpAfter    = "delivery.give_up_after"
	keyMaxPending     = "delivery.max_pending"
	keyRetention      = "delivery.retention"
	keyDeadRetention  = "delivery.dead_retention"
	keyProbeEvery     = "delivery.probe_every"
	keyThread         = "delivery.thread"
	keyBroadcast      = "delivery.broadcast"
	keyLastResort     = "delivery.last_resort"
	keyWhenUnsure     = "delivery.when_unsure"
	keyRoutes         = "routes"
	keyMayAck         = "permissions.ack"
	keyMaySilence     = "permissions.silence"
	keyMaySend        = "permissions.send"
	keyLogLevel       = "log.level"
	keyLogFormat      = "log.format"
)

const (
	off     = "off"
	forever = "forever"
	yes     = "true"
	no      = "false"
)

// What delivery.when_unsure and that of a route may say.
const (
	resend = "resend"
	hold   = "hold"
)

// option is one thing that can be set, and everywhere it can be set.
type option struct {
	key        string // dotted, as in YAML
	flag       string
	env        string
	credential string // name under $CREDENTIALS_DIRECTORY
	fileKey    string // the option that names a file with this secret
	secret     bool
	// token marks Slack's tokens, whose faults are warnings.
	token bool
	// bare marks an option that YAML may write as a number, or as true or false.
	bare bool
	// list marks an option that may have several values.
	list bool
	// check returns the value as the program wants it, or what is wrong with it.
	check func(string) (string, *flaw)
	// fallback returns the default; nil means empty.
	fallback func(Input) string
}

// name is the last part of the key, as it is written below its section.
func (o option) name() string { return o.key[strings.LastIndexByte(o.key, '.')+1:] }

func constant(value string) func(Input) string {
	return func(Input) string { return value }
}

// options returns the whole table: what is not in it does not exist.
func options() []option {
	return []option{
		{key: keyAppToken, env: "SLACK_APP_TOKEN", credential: "slack_app_token", fileKey: keyAppTokenFile, secret: true, token: true, check: anything},
		{key: keyAppTokenFile, check: checkPath},
		{key: keyBotToken, env: "SLACK_BOT_TOKEN", credential: "slack_bot_token", fileKey: keyBotTokenFile, secret: true, token: true, check: anything},
		{key: keyBotTokenFile, check: checkPath},
		{key: keyAPIURL, flag: "slack-api-url", env: "SLACK_API_URL", check: checkAPIURL, fallback: constant("https://slack.com/api/")},
		{key: keyTCP, flag: "listen", env: "TOCSIN_LISTEN", check: checkTCP, fallback: constant("127.0.0.1:8126")},
		{key: keySocket, flag: "socket", env: "TOCSIN_SOCKET", check: checkSocket, fallback: Input.defaultSocket},
		{key: keyToken, env: "TOCSIN_API_TOKEN", credential: "tocsin_api_token", fileKey: keyTokenFile, secret: true, check: checkBearer},
		{key: keyTokenFile, check: checkPath},
		{key: keyStore, flag: "store", env: "TOCSIN_STORE", check: checkStore, fallback: Input.defaultStore},
		{key: keyDefaultChannel, flag: "default-channel", env: "SLACK_CHANNEL_ID", check: checkChannel},
		{key: keyFallback, check: checkChannel},
		{key: keyDigestAbove, flag: "digest-above", bare: true, check: checkCount, fallback: constant("5")},
		{key: keyGiveUpAfter, flag: "give-up-after", check: checkDuration, fallback: constant("24h")},
		{key: keyProbeEvery, check: checkDuration, fallback: constant("5m")},
		{key: keyMaxPending, bare: true, check: checkMany, fallback: constant("1000000")},
		{key: keyRetention, check: checkDuration, fallback: constant("30d")},
		{key: keyDeadRetention, check: checkPatience, fallback: constant(forever)},
		{key: keyThread, check: checkThread(), fallback: constant(string(alert.ThreadImportant))},
		{key: keyBroadcast, bare: true, check: checkTruth, fallback: constant(no)},
		{key: keyWhenUnsure, check: oneOf(resend, hold), fallback: constant(resend)},
		{key: keyLastResort, list: true, bare: true, check: anything},
		{key: keyRoutes, check: anything},
		{key: keyMayAck, list: true, check: checkPermit, fallback: constant(everyone)},
		{key: keyMaySilence, list: true, check: checkPermit, fallback: constant(everyone)},
		{key: keyMaySend, list: true, check: checkPermit, fallback: constant(everyone)},
		{key: keyLogLevel, flag: "log-level", check: oneOf("debug", "info", "warn", "error"), fallback: constant("info")},
		{key: keyLogFormat, flag: "log-format", check: oneOf("auto", "json", "console"), fallback: constant("auto")},
	}
}

// FlagNames returns the names that Input.Flags understands, sorted.
func FlagNames() []string {
	names := []string{"config"}
	for _, opt := range options() {
		if opt.flag != "" {
			names = append(names, opt.flag)
		}
	}
	slices.Sort(names)
	return names
}

// optionOf finds an option of the file, also one that stands in each route.
func optionOf(key string) (option, bool) {
	all := slices.Concat(options(), routeOptions())
	i := slices.IndexFunc(all, func(o option) bool { return o.key == key })
	if i < 0 {
		return option{}, false
	}
	return all[i], true
}

// below returns the names that may stand under a section, or at the top level
// when section is empty, each once and in the table's order.
func below(section string) []string {
	var names []string
	for _, opt := range slices.Concat(options(), routeOptions()) {
		rest, inside := opt.key, section == ""
		if section != "" {
			rest, inside = strings.CutPrefix(opt.key, section+".")
		}
		name, _, _ := strings.Cut(rest, ".")
		if inside && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func isSection(path string) bool { return len(below(path)) > 0 }
