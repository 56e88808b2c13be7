package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// given is one value of an option from one source.
type given struct {
	value  string
	origin Origin
	// notText is the YAML type of a value that is not text; empty for text.
	notText string
	// unreadable says why a secret's file could not be read.
	unreadable string
	// overridden is set when a higher source has a value.
	overridden bool
	// items are the values of a list, each with its place, and name where they have one;
	// nil for one value.
	items []given
	name  string
}

type loader struct {
	in       Input
	doc      document
	values   map[string]given // those that are used, as they are shown
	config   *Config          // where they are set
	problems []Problem
	warnings []Problem
	absent   []Problem // warnings about missing values, which are not mistakes
	routes   []placedRoute
	times    []*placedTimes
}

func newLoader(in Input) *loader {
	return &loader{in: in, values: map[string]given{}, config: &Config{}}
}

func (l *loader) value(key string) string { return l.values[key].value }

func (l *loader) fail(p Problem) { l.problems = append(l.problems, p) }

func (l *loader) warn(p Problem) { l.warnings = append(l.warnings, p) }

// resolve checks every value of an option, including overridden ones, and keeps the
// one from the highest source.
func (l *loader) resolve(o option[Config]) {
	sources := l.sources(o.spec)
	if len(sources) == 0 {
		sources = append(sources, l.fallback(o.spec))
	}
	l.values[o.key] = apply(l, o, sources[0], l.config)
	for _, g := range sources[1:] {
		g.overridden = true
		apply(l, o, g, &Config{})
	}
	l.checkOnce(o.spec, sources)
}

func (l *loader) resolveKeys(keys ...string) {
	for _, o := range options() {
		if slices.Contains(keys, o.key) {
			l.resolve(o)
		}
	}
}

func (l *loader) fallback(opt spec) given {
	g := given{origin: Origin{kind: fromDefault, place: opt.key}}
	if opt.fallback != nil {
		g.value = opt.fallback(l.in)
	}
	return g
}

// sources returns what was given for an option, the highest first.
func (l *loader) sources(opt spec) []given {
	var found []given
	if bound, ok := l.in.Bound[opt.flag]; ok {
		found = append(found, given{value: bound.Address, origin: Origin{kind: fromSystemd, place: bound.Name}})
	}
	if value := l.in.Flags[opt.flag]; opt.flag != "" && value != "" {
		found = append(found, given{value: value, origin: Origin{kind: fromFlag, place: opt.flag}})
	}
	if value := l.in.variable(opt); value != "" {
		found = append(found, given{value: value, origin: Origin{kind: fromEnv, place: opt.env}})
	}
	if g, ok := l.credentialSource(opt); ok {
		found = append(found, g)
	}
	if g, ok := l.credential(opt); ok {
		found = append(found, g)
	}
	if g, ok := l.secretFile(opt); ok {
		found = append(found, g)
	}
	if g, ok := l.doc.values[opt.key]; ok {
		found = append(found, g)
	}
	return found
}

// credentialSource reads the file from which systemd copies a token at the start, because
// it may be newer than the copy. One that can't be read is ignored: there is the copy.
func (l *loader) credentialSource(opt spec) (given, bool) {
	dir := l.in.Getenv("CONFIGURATION_DIRECTORY")
	if !opt.token || dir == "" {
		return given{}, false
	}
	path := filepath.Join(dir, opt.credential)
	g := l.readSecret(path, Origin{kind: fromFile, place: path})
	return g, g.unreadable == "" && strings.TrimSpace(g.value) != ""
}

// credential reads what systemd passed with LoadCredential=. A missing or empty one
// is ignored, so that a unit can name it unconditionally.
func (l *loader) credential(opt spec) (given, bool) {
	dir := l.in.Getenv("CREDENTIALS_DIRECTORY")
	if opt.credential == "" || dir == "" {
		return given{}, false
	}
	path := filepath.Join(dir, opt.credential)
	g := l.readSecret(path, Origin{kind: fromCredential, place: path})
	if g.unreadable == missingFile || (g.unreadable == "" && strings.TrimSpace(g.value) == "") {
		return given{}, false
	}
	return g, true
}

func (l *loader) secretFile(opt spec) (given, bool) {
	named, ok := l.doc.values[opt.fileKey]
	if opt.fileKey == "" || !ok || !strings.HasPrefix(named.value, "/") {
		return given{}, false
	}
	from := Origin{kind: fromFile, place: named.value}
	g := l.readSecret(named.value, from)
	if g.unreadable != "" {
		// The mistake is in the line that names the file.
		g.origin = named.origin
	}
	return g, true
}

const missingFile = "there is no such file"

func (l *loader) readSecret(path string, from Origin) given {
	content, err := l.in.ReadFile(path)
	g := given{origin: from, value: cutLineEnd(string(content))}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		g.unreadable = missingFile
	case err != nil:
		g.unreadable = reason(err)
	}
	return g
}

// cutLineEnd removes the one line end that editors and echo add.
func cutLineEnd(content string) string {
	return strings.TrimSuffix(strings.TrimSuffix(content, "\n"), "\r")
}

// reason returns an operating system's error without the path, which the message
// contains anyway.
func reason(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// apply sets what was given for an option, and reports what is wrong with it. It
// returns what is good, as it is shown.
func apply[T any](l *loader, o option[T], g given, target *T) given {
	switch {
	case g.unreadable != "":
		l.unreadable(o.spec, g)
		g.value = ""
		return g
	case g.origin.kind == fromDefault && g.value == "":
		return g
	case g.items != nil:
		var shown []string
		for _, item := range g.items {
			if good := apply(l, o, item, target); good.value != "" {
				shown = append(shown, good.value)
			}
		}
		g.value = strings.Join(shown, listed)
		return g
	}
	shown, f := o.set(target, g.value)
	if f == nil && g.notText != "" && !o.bare {
		f = &flaw{message: fmt.Sprintf("is %s where text belongs", g.notText), advice: "put it in quotes"}
	}
	if f != nil {
		l.fail(g.origin.problem(o.key+" "+f.message, f.fix(o.spec, g.origin)))
		shown = ""
	}
	g.value = shown
	return g
}

// listed separates the values of a list in output.
const listed = ", "

// unreadable is only a warning for Slack's tokens: a daemon without them still accepts
// alerts. Without its own token it would accept requests from everybody.
func (l *loader) unreadable(opt spec, g given) {
	path := l.doc.values[opt.fileKey].value
	fix := "make it readable for the user Tocsin runs as, with the token as its only line"
	if g.origin.kind == fromCredential {
		path, fix = g.origin.place, "check LoadCredential= in the unit"
	}
	p := g.origin.problem(fmt.Sprintf("%s cannot be read from %s: %s", opt.key, printable(path), g.unreadable), fix)
	switch {
	case !opt.token:
		l.fail(p)
	case !g.overridden:
		l.warn(p)
	}
}

// checkOnce refuses a secret together with a file for it in YAML.
func (l *loader) checkOnce(opt spec, sources []given) {
	named, ok := l.doc.values[opt.fileKey]
	if opt.fileKey == "" || !ok {
		return
	}
	for _, g := range sources {
		if g.origin.kind == fromYAML && g.unreadable == "" {
			l.fail(g.origin.problem(
				fmt.Sprintf("%s is given twice: here and as %s on line %d", opt.key, opt.fileKey, named.origin.line),
				"keep one of them, better the file"))
		}
	}
}

// checkFlags finds unknown flags, which would be ignored.
func (l *loader) checkFlags() {
	known := FlagNames()
	for _, name := range slices.Sorted(maps.Keys(l.in.Flags)) {
		if !slices.Contains(known, name) {
			l.fail(Problem{Where: "--" + name, Message: "is not a flag for a setting", Fix: "use one of --" + strings.Join(known, ", --")})
		}
	}
}

// checkTogether finds values that are valid alone but not together.
func (l *loader) checkTogether() {
	l.checkListeners()
	l.checkTLS()
	l.checkAuthorities()
	l.checkProxy()
	l.checkSenders()
	l.checkRoutes()
	l.checkTimes()
	l.checkPermissions()
	if !l.has(keyStore) && l.unsaid(keyStore) {
		l.fail(Problem{
			Where:   "store",
			Message: "has no default path: none of STATE_DIRECTORY, XDG_STATE_HOME and HOME is set",
			Fix:     "write TOCSIN_STORE=sqlite:/var/lib/tocsin/tocsin.db",
		})
	}
	if l.unsaid(keyDefaultChannel) {
		l.fail(Problem{
			Where:   "default_channel",
			Message: "is missing: an alert that names no channel has to go somewhere",
			Fix:     fmt.Sprintf(`write SLACK_CHANNEL_ID=C0123456789, or default_channel: "#alerts" in %s`, l.doc.placeToWrite(l.in)),
		})
	}
}

func (l *loader) has(key string) bool { return l.values[key].value != "" }

// unsaid reports whether an option has no value, not even an invalid one.
func (l *loader) unsaid(key string) bool {
	return l.values[key].origin.kind == fromDefault && !l.doc.mentions(key) && !l.doc.broken
}

func (l *loader) checkListeners() {
	tcp, socket := l.values[keyTCP], l.values[keySocket]
	if tcp.value == off && socket.value == off {
		l.fail(tcp.origin.problem(
			"listen.tcp and listen.socket are both off: no alert could come in",
			"leave one of them on; the socket of "+socket.origin.String()+" is off too"))
	}
	if tcp.value == "" || tcp.value == off || onLoopback(tcp.value) || l.mayHaveToken() {
		return
	}
	opt, _ := specOf(keyTCP)
	l.fail(tcp.origin.problem(
		fmt.Sprintf("listen.tcp %s can be reached from other machines, and no token protects it", printable(tcp.value)),
		"set TOCSIN_API_TOKEN, listen.token_file or listen.tokens (tocsin token new NAME makes one), or write "+tcp.origin.assign(opt, "127.0.0.1:8126")))
}

// mayHaveToken is true even for a token with a mistake, which was reported, and for a
// file that could not be read.
func (l *loader) mayHaveToken() bool {
	return !l.unsaid(keyToken) || l.doc.mentions(keyTokenFile) || len(l.doc.groups[keyTokens]) > 0
}
