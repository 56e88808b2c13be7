package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tocsin/playground"
)

// The scripts in testdata are what a user could type. Each runs with a folder
// of its own and a playground whose address is in its environment.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			s, err := playground.New(playground.Options{})
			if err != nil {
				return err
			}
			env.Defer(func() { _ = s.Close() })
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_RUNTIME_DIR", filepath.Join(env.WorkDir, "run"))
			env.Setenv("PLAYGROUND_API", s.APIURL())
			env.Setenv("PLAYGROUND_APP_TOKEN", s.AppToken())
			env.Setenv("PLAYGROUND_BOT_TOKEN", s.BotToken())
			env.Values["playground"] = s
			return os.Mkdir(filepath.Join(env.WorkDir, "run"), 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ready":  waitReady,
			"answer": waitAnswer,
			"shows":  playgroundShows,
			"invent": playgroundInvent,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// waitReady (ready) waits until a daemon listens at the default socket.
func waitReady(ts *testscript.TestScript, neg bool, _ []string) {
	if neg {
		ts.Fatalf("ready can't be negated")
	}
	socket := filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "tocsin", "tocsin.sock")
	awaitHTTP(ts, socketClient(socket))
}

// waitAnswer (answer URL) waits until a daemon listens at a TCP address.
func waitAnswer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: answer URL")
	}
	awaitHTTP(ts, &client{http: &http.Client{}, base: args[0], addresses: args[:1]})
}

// invent (invent CHANNEL) makes a channel that was not there, with the bot in it.
func playgroundInvent(ts *testscript.TestScript, neg bool, args []string) {
	s, ok := ts.Value("playground").(*playground.Server)
	if neg || !ok || len(args) != 1 {
		ts.Fatalf("usage: invent CHANNEL")
	}
	s.AddChannel(playground.Channel{Name: args[0], IsMember: true})
}

// shows (shows CHANNEL TEXT) tells whether a message of the playground holds a text.
func playgroundShows(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: shows CHANNEL TEXT")
	}
	s, ok := ts.Value("playground").(*playground.Server)
	if !ok {
		ts.Fatalf("there is no playground")
	}
	found := false
	for _, m := range s.Messages(args[0]) {
		found = found || strings.Contains(shown(m), args[1])
	}
	if found == neg {
		ts.Fatalf("%s shows %q: %v", args[0], args[1], found)
	}
}
