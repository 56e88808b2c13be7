package config

import (
	"crypto/x509"
	"errors"
	"io/fs"

	"tocsin/alert"
)

// Setup is what tocsin init asks for, as the sources have it now. What nobody has given is
// empty.
type Setup struct {
	App, Bot       alert.Secret
	DefaultChannel string
	APIURL         string
	// Authorities are those of slack.ca_file and the system's; nil without it.
	Authorities *x509.CertPool
	Mode        string
	// AppFile and BotFile are the files that the YAML file names for the tokens.
	AppFile, BotFile string
}

// LoadSetup reads only these settings. A YAML file that can't be read, or a mistake in one
// of them, is an *Errors. Tokens that Slack will not accept are not mistakes.
func LoadSetup(in Input) (*Setup, error) {
	l := newLoader(in)
	l.readDocument()
	if !l.doc.broken {
		l.problems = nil // of other settings
	}
	l.resolveKeys(keyAppToken, keyAppTokenFile, keyBotToken, keyBotTokenFile, keyMode, keyAPIURL, keyCAFile, keyDefaultChannel)
	l.checkAuthorities()
	l.checkProxy()
	if len(l.problems) > 0 {
		return nil, &Errors{Problems: inOrder(l.problems)}
	}
	l.checkTokens()
	return &Setup{
		App: alert.Secret(l.value(keyAppToken)), Bot: alert.Secret(l.value(keyBotToken)),
		DefaultChannel: l.value(keyDefaultChannel), APIURL: l.value(keyAPIURL), Authorities: l.config.Slack.Authorities, Mode: l.value(keyMode),
		AppFile: l.value(keyAppTokenFile), BotFile: l.value(keyBotTokenFile),
	}, nil
}

// FileToWrite is the YAML file that a daemon with this input reads, or would if it existed.
func (in Input) FileToWrite() string {
	paths, _, _ := in.configPaths()
	for _, path := range paths {
		if _, err := in.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
			return path
		}
	}
	if in.UID == 0 {
		return paths[0]
	}
	return paths[len(paths)-1]
}
