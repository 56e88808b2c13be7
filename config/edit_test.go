package config_test

import (
	"strings"
	"testing"

	"tocsin/config"
)

func TestEditChangesOneValueAndNothingElse(t *testing.T) {
	channel := config.Assignment{Key: "default_channel", Value: "#ops"}
	token := config.Assignment{Key: "slack.bot_token", Value: "xoxb-2"}
	for name, c := range map[string]struct {
		file string
		set  config.Assignment
		want string
	}{
		"an empty file":                             {"", channel, "default_channel: \"#ops\"\n"},
		"a value in quotes":                         {"# mine\n\ndefault_channel: \"#alerts\"   # ours\nlog: {level: warn}\n", channel, "# mine\n\ndefault_channel: \"#ops\"   # ours\nlog: {level: warn}\n"},
		"a value in single quotes":                  {"default_channel: '#alerts'\n", channel, "default_channel: \"#ops\"\n"},
		"a value without quotes":                    {"default_channel: C0123 # ours\n", channel, "default_channel: \"#ops\" # ours\n"},
		"no line end":                               {"log:\n  level: warn", channel, "log:\n  level: warn\ndefault_channel: \"#ops\"\n"},
		"a key without a value":                     {"default_channel:\nlog: {level: warn}\n", channel, "default_channel: \"#ops\"\nlog: {level: warn}\n"},
		"null":                                      {"default_channel: null # none\n", channel, "default_channel: \"#ops\" # none\n"},
		"a tilde in braces":                         {"slack: {bot_token: ~}\n", token, "slack: {bot_token: xoxb-2}\n"},
		"a byte order mark":                         {"\ufeffdefault_channel: C0123\n", channel, "default_channel: \"#ops\"\n"},
		"below its example":                         {"# The channel.\n#default_channel: \"#alerts\"\n\nlog:\n  level: warn\n", channel, "# The channel.\n#default_channel: \"#alerts\"\ndefault_channel: \"#ops\"\n\nlog:\n  level: warn\n"},
		"no section":                                {"default_channel: C0123\n", token, "default_channel: C0123\nslack:\n  bot_token: xoxb-2\n"},
		"a section of comments":                     {"slack:\n  # the app's\n  #app_token: xapp-…\n  # the bot's\n  #bot_token: xoxb-…\n  #bot_token_file: /x\n\nlog:\n  level: warn\n", token, "slack:\n  # the app's\n  #app_token: xapp-…\n  # the bot's\n  #bot_token: xoxb-…\n  bot_token: xoxb-2\n  #bot_token_file: /x\n\nlog:\n  level: warn\n"},
		"a section with another indent":             {"slack:\n    app_token: xapp-1\nlog:\n    level: warn\n", token, "slack:\n    bot_token: xoxb-2\n    app_token: xapp-1\nlog:\n    level: warn\n"},
		"a section in braces":                       {"slack: {app_token: xapp-1, bot_token: xoxb-1} # both\n", token, "slack: {app_token: xapp-1, bot_token: xoxb-2} # both\n"},
		"braces without it":                         {"slack: {app_token: xapp-1}\n", token, "slack: {bot_token: xoxb-2, app_token: xapp-1}\n"},
		"a dotted name":                             {"slack.bot_token: xoxb-1\n", token, "slack.bot_token: xoxb-2\n"},
		"an option of that name in another section": {"listen:\n  #bot_token: no\n  tcp: 'off'\nslack:\n  mode: http\n", token, "listen:\n  #bot_token: no\n  tcp: 'off'\nslack:\n  bot_token: xoxb-2\n  mode: http\n"},
		"letters of two bytes":                      {"log: {level: warn} # für\ndefault_channel: \"#älärm\" # für\n", channel, "log: {level: warn} # für\ndefault_channel: \"#ops\" # für\n"},
		"lines of Windows":                          {"default_channel: C0123\r\nlog: {level: warn}\r\n", channel, "default_channel: \"#ops\"\r\nlog: {level: warn}\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.Edit("tocsin.yaml", []byte(c.file), []config.Assignment{c.set})
			if err != nil || string(got) != c.want {
				t.Errorf("it is now\n%s(%v), want\n%s", got, err, c.want)
			}
		})
	}
}

func TestEditRefusesWhatItWouldDamage(t *testing.T) {
	for name, file := range map[string]string{
		"several lines":    "default_channel: >-\n  #alerts\n",
		"a list":           "default_channel:\n  - '#alerts'\n",
		"no YAML":          "default_channel: [\n",
		"no options":       "- default_channel\n",
		"after the end":    "log: {level: warn}\n...\n",
		"all in one brace": "{log: {level: warn}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.Edit("tocsin.yaml", []byte(file), []config.Assignment{{Key: "default_channel", Value: "#ops"}, {Key: "slack.bot_token", Value: "xoxb-2"}})
			if err == nil {
				t.Fatalf("it is now %s", got)
			}
			if strings.Contains(err.Error(), "xoxb-2") {
				t.Errorf("the token is shown: %v", err)
			}
		})
	}
}
