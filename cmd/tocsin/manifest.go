package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/config"
	"tocsin/playground"
)

//go:embed manifest.yaml
var manifestYAML string

type manifestCmd struct {
	json bool
	link bool
}

func newManifest(w world) *cobra.Command {
	var c manifestCmd
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Print the Slack app's manifest and the link that creates the app from it",
		Long: `Print the Slack app's manifest and the link that creates the app from it. Open the link,
choose the workspace, and press Create. Then:

    Basic Information > App-Level Tokens > Generate, with connections:write   -> SLACK_APP_TOKEN
    Install App > Install to Workspace > Bot User OAuth Token                 -> SLACK_BOT_TOKEN`,
		Example: `  tocsin manifest
  tocsin manifest --json > app.json
  xdg-open "$(tocsin manifest --link)"`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return c.run(w) },
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&c.link, "link", false, "print only the link")
	return cmd
}

func (c manifestCmd) run(w world) error {
	asJSON, err := config.JSON([]byte(manifestYAML))
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	link, err := manifestLink(asJSON)
	if err != nil {
		return err
	}
	switch {
	case c.link:
		_, err = fmt.Fprintln(w.stdout, link)
	case c.json:
		var v any
		if err := json.Unmarshal(asJSON, &v); err != nil {
			return fmt.Errorf("read manifest: %w", err)
		}
		err = writeJSON(w.stdout, v)
	default:
		_, err = fmt.Fprintf(w.stdout, "%s\n# The link that creates the app from it:\n# %s\n", manifestYAML, link)
	}
	return err
}

// manifestLink is where Slack creates the app. Spaces are encoded as %20, because
// not every decoder takes a plus sign for a space.
func manifestLink(asJSON []byte) (string, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, asJSON); err != nil {
		return "", fmt.Errorf("read manifest: %w", err)
	}
	return "https://api.slack.com/apps?new_app=1&manifest_json=" + strings.ReplaceAll(url.QueryEscape(compact.String()), "+", "%20"), nil
}

// manifestCommands returns the manifest's slash commands, for the playground.
func manifestCommands() ([]playground.Command, error) {
	asJSON, err := config.JSON([]byte(manifestYAML))
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var m struct {
		Features struct {
			Commands []playground.Command `json:"slash_commands"`
		} `json:"features"`
	}
	if err := json.Unmarshal(asJSON, &m); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return m.Features.Commands, nil
}
