package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/bot"
	"tocsin/config"
	"tocsin/playground"
)

//go:embed manifest.yaml
var manifestYAML string

func newManifest(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Print the Slack app's manifest and the link that creates the app from it",
		Long: `Print the Slack app's manifest and the link that creates the app from it. Open the link,
choose the workspace, and press Create. Then:

    Basic Information > App-Level Tokens > Generate, with connections:write   -> SLACK_APP_TOKEN
    Install App > Install to Workspace > Bot User OAuth Token                 -> SLACK_BOT_TOKEN

Where a workspace does not allow Socket Mode, --url makes it the manifest of an app whose
requests come by HTTP (slack.mode: http), verified by Basic Information > Signing Secret ->
SLACK_SIGNING_SECRET.`,
		Example: `  tocsin manifest
  tocsin manifest --json > app.json
  xdg-open "$(tocsin manifest --link)"
  tocsin manifest --url https://tocsin.example.com`,
		Args: noArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	onlyLink := cmd.Flags().Bool("link", false, "print only the link")
	address := cmd.Flags().String("url", "", "have Slack send its requests to this `URL`, in place of Socket Mode")
	cmd.RunE = func(*cobra.Command, []string) error {
		asYAML := manifestYAML
		if *address != "" {
			u, err := url.Parse(*address)
			if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
				return &usageError{fmt.Errorf("--url %s is not an https address: write one such as https://tocsin.example.com", flat(*address))}
			}
			asYAML = manifestFor(strings.TrimRight(u.String(), "/"))
		}
		manifest, err := manifestJSON(asYAML)
		if err != nil {
			return err
		}
		link := manifestLink(manifest)
		if *onlyLink {
			_, err := fmt.Fprintln(w.stdout, link)
			return err
		}
		return w.print(*asJSON, manifest, fmt.Sprintf("%s\n# The link that creates the app from it:\n# %s\n", asYAML, link))
	}
	return cmd
}

// manifestFor is the manifest of an app whose requests come to an address.
func manifestFor(address string) string {
	return strings.NewReplacer(
		"      should_escape: true\n", "      should_escape: true\n      url: "+address+bot.CommandsPath+"\n",
		"    is_enabled: true\n", "    is_enabled: true\n    request_url: "+address+bot.InteractivePath+"\n",
		"  event_subscriptions:\n", "  event_subscriptions:\n    request_url: "+address+bot.EventsPath+"\n",
		"socket_mode_enabled: true", "socket_mode_enabled: false",
	).Replace(manifestYAML)
}

// manifestJSON is a manifest as compact JSON.
func manifestJSON(manifest string) (json.RawMessage, error) {
	var compact bytes.Buffer
	asJSON, err := config.JSON([]byte(manifest))
	if err == nil {
		err = json.Compact(&compact, asJSON)
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return compact.Bytes(), nil
}

// manifestLink is where Slack creates the app. Spaces are encoded as %20, because
// not every decoder takes a plus sign for a space.
func manifestLink(manifest json.RawMessage) string {
	return "https://api.slack.com/apps?new_app=1&manifest_json=" + strings.ReplaceAll(url.QueryEscape(string(manifest)), "+", "%20")
}

// manifestCommands returns the manifest's slash commands, for the playground.
func manifestCommands() ([]playground.Command, error) {
	manifest, err := manifestJSON(manifestYAML)
	if err != nil {
		return nil, err
	}
	var m struct {
		Features struct {
			Commands []playground.Command `json:"slash_commands"`
		} `json:"features"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return m.Features.Commands, nil
}
