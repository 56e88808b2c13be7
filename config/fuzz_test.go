package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/config"
)

// FuzzLoad holds that no file and no variable breaks Load, that each mistake
// has a place, a message and a remedy, and that no token is ever repeated.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content), "")
	}
	f.Add(config.Example(), "0.0.0.0:0")
	f.Add("routes:\n- name: x\n  match: [a=~\"\\\\\x00\", {b: c}]\n  quiet: {from: 1:00, until: 2:00, zone: ../x, days: mon}\n  escalate: [[], {}, {after: -1h}]\npermissions: {ack: [[a]]}\n", "\x00:x")
	f.Add("slack:\n  bot_token: xoxb-11111111-hunter2\n ]", "[::1]:80")
	f.Add("a: &a [*a]\n<<: *a\n? {x: y}\n: !!binary z\n", "http://x")
	f.Fuzz(func(t *testing.T, file, listen string) {
		e := environment{files: map[string]string{etc: file}, vars: map[string]string{"TOCSIN_LISTEN": listen, "SLACK_BOT_TOKEN": "xoxp-hunter2-hunter2"}}
		c, err := config.Load(e.input())
		if err == nil {
			for _, w := range c.Warnings {
				checkProblem(t, w)
			}
			return
		}
		list, ok := errors.AsType[*config.Errors](err)
		if !ok || len(list.Problems) == 0 {
			t.Fatalf("error %v lists nothing", err)
		}
		for _, p := range list.Problems {
			checkProblem(t, p)
		}
	})
}

func checkProblem(t *testing.T, p config.Problem) {
	t.Helper()
	if p.Where == "" || p.Message == "" || p.Fix == "" {
		t.Errorf("incomplete: %+v", p)
	}
	if strings.ContainsAny(p.String(), "\n\x00") || strings.Contains(p.String(), "xoxp-hunter2") {
		t.Errorf("not fit to print: %q", p)
	}
}
