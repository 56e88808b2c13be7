package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"tocsin/playground"
)

// newPlayground runs the demo's Slack alone, for a daemon with a configuration of its own.
func newPlayground(w world) *cobra.Command {
	var c demoCmd
	cmd := &cobra.Command{
		Use:   "playground",
		Short: "Run the demo's small Slack alone, for a daemon that you start yourself",
		Long: `Run the small Slack of tocsin demo alone, with its web page, for a daemon that you start
yourself: to try your own configuration, or another version. It prints the variables that make
tocsin serve use it. Give that daemon a store of its own with TOCSIN_STORE, so that what is
tried does not get into the store of a real one. What happened in this Slack is gone at the end.`,
		Example: `  tocsin playground
  tocsin playground --no-browser --listen 127.0.0.1:9000
  tocsin playground --url http://127.0.0.1:8128`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if u, err := url.Parse(c.requestsTo); c.requestsTo != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
				return &usageError{fmt.Errorf("--url %s is not an address: write one such as http://127.0.0.1:8128", flat(c.requestsTo))}
			}
			return c.runSlack(cmd.Context(), w)
		},
	}
	cmd.Flags().StringVar(&c.listen, "listen", demoAddress, "serve the page and Slack's API at this `ADDRESS`, or at another port if it is in use")
	cmd.Flags().StringVar(&c.requestsTo, "url", "", "send what people do to this `URL` (slack.mode: http), in place of Socket Mode")
	cmd.Flags().BoolVar(&c.noBrowser, "no-browser", false, "do not open the page in a browser")
	return cmd
}

// runSlack runs the playground until ctx ends. Its page pushes samples to the daemon that
// other commands would find.
func (c demoCmd) runSlack(ctx context.Context, w world) (err error) {
	daemon, err := (&clientCmd{world: w}).connect()
	if err != nil {
		return err
	}
	slack, err := c.slack(ctx, daemon)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, slack.Close()) }()
	if err := c.greetDaemon(w, slack); err != nil {
		return err
	}
	if !c.noBrowser && isTerminal(w.stdout) {
		openBrowser(ctx, slack.URL())
	}
	<-ctx.Done()
	return nil
}

// greetDaemon says how a daemon uses the playground.
func (c demoCmd) greetDaemon(w world, slack *playground.Server) error {
	receives := "export SLACK_APP_TOKEN=" + slack.AppToken()
	if u, err := url.Parse(c.requestsTo); c.requestsTo != "" && err == nil {
		receives = fmt.Sprintf(`echo 'slack: {mode: http, listen: "%s"}' >playground.yaml
  export TOCSIN_CONFIG=playground.yaml
  export SLACK_SIGNING_SECRET=%s`, u.Host, slack.SigningSecret())
	}
	_, err := fmt.Fprintf(w.stdout, `A small Slack runs in this process until Ctrl-C. Its page: %s

In another shell, for the daemon:

  export SLACK_API_URL=%s
  %s
  export SLACK_BOT_TOKEN=%s
  export SLACK_CHANNEL_ID=alerts
  export TOCSIN_STORE=sqlite:playground.db
  tocsin serve
`, slack.URL(), slack.APIURL(), receives, slack.BotToken())
	return err
}
