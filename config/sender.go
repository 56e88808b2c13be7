package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"tocsin/alert"
)

// The options of each token of a sender that are named elsewhere too.
const (
	keyTokens      = "listen.tokens"
	keySenderToken = keyTokens + ".token"
	keySenderFile  = keyTokens + ".token_file"
	keySenderHash  = keyTokens + ".hash"
)

// credentialOfSender is what the systemd credential of a token is called, before its name.
const credentialOfSender = "tocsin_token_"

func senderOptions() []option[alert.Token] {
	type token = alert.Token
	return []option[token]{
		opt(spec{key: keyTokens + ".name"}, parseSenderName, func(t *token, v string) { t.Name = v }),
		opt(spec{key: keySenderToken, secret: true}, parseSenderToken, func(t *token, v string) { t.Hash = sha256.Sum256([]byte(v)) }),
		opt(spec{key: keySenderFile}, parsePath, func(*token, string) {}),
		opt(spec{key: keySenderHash, secret: true}, parseHash, func(t *token, v [sha256.Size]byte) { t.Hash = v }),
		opt(spec{key: keyTokens + ".channels", list: true}, parseChannel, func(t *token, v string) { t.Channels = with(t.Channels, v) }),
		opt(spec{key: keyTokens + ".sources", list: true, bare: true}, anything, func(t *token, v string) { t.Sources = with(t.Sources, v) }),
		opt(spec{key: keyTokens + ".severities", list: true}, oneSeverity(alert.Severities()...), func(t *token, v alert.Severity) { t.Severities = with(t.Severities, v) }),
		opt(spec{key: keyTokens + ".rate"}, parseRate, func(t *token, v alert.Rate) { t.Rate = v }),
		opt(spec{key: keyTokens + ".may", list: true}, oneOf(alert.MaySend, alert.MayRead, alert.MayAct), func(t *token, v alert.Power) { t.May = with(t.May, v) }),
	}
}

var senderName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ValidTokenName reports whether a token of a sender can have this name.
func ValidTokenName(name string) bool { return senderName.MatchString(name) }

func parseSenderName(value string) (string, *flaw) {
	if !ValidTokenName(value) {
		return "", &flaw{message: printable(value) + " is not a name of letters, digits, dots, dashes and underscores", write: []string{"ci"}}
	}
	return value, nil
}

// shortestToken keeps out words that can be guessed from their hash.
const shortestToken = 16

// parseSenderToken does not quote what is wrong, because it is a secret.
func parseSenderToken(value string) (string, *flaw) {
	token, f := parseBearer(value)
	if f == nil && len(token) < shortestToken {
		f = &flaw{message: fmt.Sprintf("has fewer than %d characters", shortestToken), advice: "tocsin token new NAME makes one that can't be guessed"}
	}
	return token, f
}

const hashPrefix = "sha256:"

func parseHash(value string) (hash [sha256.Size]byte, f *flaw) {
	digits, ok := strings.CutPrefix(strings.TrimSpace(value), hashPrefix)
	read, err := hex.DecodeString(digits)
	if !ok || err != nil || len(read) != len(hash) {
		return hash, &flaw{message: "is not " + hashPrefix + " and 64 hexadecimal digits", advice: "tocsin token new NAME prints it"}
	}
	return [sha256.Size]byte(read), nil
}

// TokenHash is the hash of a token as the option hash has it.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hashPrefix + hex.EncodeToString(sum[:])
}

func parseRate(value string) (alert.Rate, *flaw) {
	r, err := alert.ParseRate(value)
	if err != nil {
		return r, &flaw{message: printable(value) + " is not a rate of alerts", write: []string{"10/s", "600/m", "1000/h"}}
	}
	return r, nil
}

// readSenders reads listen.tokens.
func (l *loader) readSenders() {
	var names []string
	for _, s := range l.doc.groups[keyTokens] {
		if t, ok := l.readSender(s); ok {
			l.config.Listen.Tokens = append(l.config.Listen.Tokens, t)
			names = append(names, t.Name)
		}
	}
	if len(names) > 0 {
		l.doc.values[keyTokens] = given{value: strings.Join(names, listed), origin: l.doc.mentioned[keyTokens]}
	}
}

// readSender reads one token; ok is false if there is a mistake in it.
func (l *loader) readSender(s section) (t alert.Token, ok bool) {
	mistakes := len(l.problems)
	applyAll(l, senderOptions(), s, &t)
	l.need(s, keyTokens+".name", "it says whose alerts these are", "name: ci")
	l.readSenderSecret(s, &t)
	if len(t.May) == 0 {
		t.May = []alert.Power{alert.MaySend}
	}
	if len(l.problems) > mistakes {
		return t, false
	}
	for _, other := range l.config.Listen.Tokens {
		switch {
		case other.Name == t.Name:
			l.fail(s.at.problem(fmt.Sprintf("listen.tokens has two tokens with the name %s", t.Name), "give each a name of its own"))
		case other.Hash == t.Hash:
			l.fail(s.at.problem(fmt.Sprintf("listen.tokens has one token for %s and %s", other.Name, t.Name), "make another one: tocsin token new "+t.Name))
		}
	}
	return t, len(l.problems) == mistakes
}

// readSenderSecret reads the token itself where its section does not have it: from systemd's
// credential, which counts first, or from its file.
func (l *loader) readSenderSecret(s section, t *alert.Token) {
	var has []string
	for _, key := range []string{keySenderToken, keySenderFile, keySenderHash} {
		if s.mentions(key) {
			has = append(has, strings.TrimPrefix(key, keyTokens+"."))
		}
	}
	if len(has) > 1 {
		l.fail(s.at.problem("listen.tokens has a token with "+strings.Join(has, " and "), "keep one of them, best the hash"))
		return
	}
	secret, ok := l.senderCredential(t.Name)
	if path := s.values[keySenderFile]; !ok && filepath.IsAbs(path.value) {
		secret, ok = l.readSecret(path.value, Origin{kind: fromFile, place: path.value}), true
		if secret.unreadable != "" {
			l.fail(path.origin.problem(
				fmt.Sprintf("%s cannot be read from %s: %s", keySenderToken, printable(path.value), secret.unreadable),
				"make it readable for the user Tocsin runs as, with the token as its only line"))
			return
		}
	}
	if !ok && len(has) == 0 {
		l.fail(s.at.problem("listen.tokens has a name without a token",
			fmt.Sprintf("write hash, token_file or token there (tocsin token new %[1]s makes one), or pass the systemd credential %[2]s%[1]s", cmp.Or(t.Name, "NAME"), credentialOfSender)))
	}
	if ok {
		i := slices.IndexFunc(senderOptions(), func(o option[alert.Token]) bool { return o.key == keySenderToken })
		apply(l, senderOptions()[i], secret, t)
	}
}

// checkSenders finds a token that is also listen.token, and would restrict that.
func (l *loader) checkSenders() {
	all, whole := l.config.Listen.Tokens, l.config.Listen.Token
	if n := slices.IndexFunc(all, func(t alert.Token) bool { return t.Hash == sha256.Sum256([]byte(whole.Reveal())) }); n >= 0 && whole != "" {
		l.fail(l.doc.mentioned[keyTokens].problem(
			fmt.Sprintf("listen.tokens has the token of %s for %s", keyToken, all[n].Name), "make another one: tocsin token new "+all[n].Name))
	}
}

// senderCredential reads systemd's credential of the token of this name.
func (l *loader) senderCredential(name string) (given, bool) {
	if name == "" {
		return given{}, false
	}
	return l.credential(spec{credential: credentialOfSender + name})
}
