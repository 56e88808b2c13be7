package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// units are the unit files that are shipped.
var units = []string{"tocsin.service", "tocsin.socket", "tocsin-tcp.socket", "tocsin-failure@.service"}

// analyze runs systemd-analyze on a copy of a unit, beside copies of the others, whose
// program exists.
func analyze(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("TOCSIN_CI_STRICT") == "1" {
			t.Fatal("systemd-analyze is not installed")
		}
		t.Skip("systemd-analyze is not installed: the unit files are not checked")
	}
	program, err := os.Executable()
	check(t, err)
	dir := t.TempDir()
	for _, each := range units {
		unit, err := os.ReadFile(each)
		check(t, err)
		copied := strings.ReplaceAll(string(unit), "/usr/local/bin/tocsin", program)
		check(t, os.WriteFile(filepath.Join(dir, each), []byte(copied), 0o644))
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", append(args, filepath.Join(dir, name))...).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

func TestTheUnitIsCleanUnderVerify(t *testing.T) {
	for _, name := range units {
		if said := analyze(t, name, "verify", "--man=no", "--recursive-errors=no"); said != "" {
			t.Errorf("systemd-analyze verify says of %s:\n%s", name, said)
		}
	}
}

// The threshold is in tenths: exposure 1.2 of 10.
func TestTheSandboxLeavesAnExposureOfAtMost1_2(t *testing.T) {
	for _, name := range []string{"tocsin.service", "tocsin-failure@.service"} {
		said := analyze(t, name, "security", "--offline=true", "--threshold=12", "--no-pager")
		if prefix, _, _ := strings.Cut(name, "."); !strings.Contains(said, "Overall exposure level for "+prefix) {
			t.Errorf("systemd-analyze security says of %s:\n%s", name, said)
		}
		if t.Failed() {
			t.Log(said)
		}
	}
}

func TestEverySettingOfTheUnitIsExplained(t *testing.T) {
	for _, name := range units {
		unit, err := os.ReadFile(name)
		check(t, err)
		explained := false
		for number, line := range strings.Split(string(unit), "\n") {
			switch {
			case strings.HasPrefix(line, "#"):
				explained = true
			case line == "" || strings.HasPrefix(line, "["):
				explained = false
			case !explained:
				t.Errorf("line %d of %s has no reason above it: %s", number+1, name, line)
			}
		}
	}
}

func TestTheUnitHasWhatSECURITYmdSaysOfIt(t *testing.T) {
	unit, err := os.ReadFile("tocsin.service")
	check(t, err)
	said, err := os.ReadFile("../SECURITY.md")
	check(t, err)
	settings := regexp.MustCompile("`([A-Z][A-Za-z]+=[^`]*)`").FindAllStringSubmatch(string(said), -1)
	if len(settings) < 10 {
		t.Errorf("it names %d settings", len(settings))
	}
	for _, setting := range settings {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(setting[1])).Match(unit) {
			t.Errorf("the unit lacks %s", setting[1])
		}
	}
}

func TestTheUnitGivesTheDaemonTimeToDrainAndNamesItsCredentials(t *testing.T) {
	content, err := os.ReadFile("tocsin.service")
	check(t, err)
	unit := string(content)
	for _, setting := range []string{
		"Type=notify", "ExecStart=/usr/local/bin/tocsin serve", "TimeoutStopSec=20s", "Restart=always", "RestartSec=1s", "StartLimitIntervalSec=0",
		"Environment=TOCSIN_LISTEN=off", "StateDirectory=tocsin", "ConfigurationDirectory=tocsin", "Requires=tocsin.socket", "ExecReload=/usr/local/bin/tocsin config reload",
		"LoadCredential=slack_app_token:", "LoadCredential=slack_bot_token:", "LoadCredential=tocsin_api_token:",
	} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(setting)).MatchString(unit) {
			t.Errorf("the unit lacks %s", setting)
		}
	}
	for _, missing := range regexp.MustCompile(`(?m)^LoadCredential=(\w+):`).FindAllStringSubmatch(unit, -1) {
		if !strings.Contains(unit, "\nSetCredential="+missing[1]+`:\n`) {
			t.Errorf("without /etc/tocsin/%s the daemon would not start", missing[1])
		}
	}
	sysusers, err := os.ReadFile("tocsin.sysusers")
	check(t, err)
	for _, setting := range []string{"Group", "SupplementaryGroups"} {
		group := regexp.MustCompile(`(?m)^` + setting + `=(.+)$`).FindStringSubmatch(unit)
		if group == nil || !strings.Contains(string(sysusers), "\ng "+group[1]+" ") {
			t.Errorf("sysusers does not make the group %v", group)
		}
	}
}
