package main

import (
	"github.com/spf13/cobra"
)

const description = `Tocsin accepts alerts over a Unix socket or loopback HTTP and delivers them to the right
Slack conversation: stored before they are acknowledged, in order, at Slack's pace, once.`

// newRoot builds the whole command line: each command has a constructor, in a
// file of its own.
func newRoot(w world) *cobra.Command {
	root := &cobra.Command{
		Use:  "tocsin",
		Long: description,
		Example: `  tocsin demo                            try it without a workspace
  tocsin init                            set it up, with your workspace
  tocsin serve                           run the daemon
  tocsin send 'disk full on db-3'        push an alert
  curl -d 'disk full' http://127.0.0.1:8126/v1/alerts`,
		Args:          noArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	showVersion := root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *showVersion {
			return printVersion(w, false)
		}
		return cmd.Help()
	}
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.DisableDefaultCmd = true
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	addGroup(root, "Daemon:", newInit(w), newServe(w), newDemo(w), newPlayground(w), newStore(w), newCluster(w), newConfig(w), newToken(w), newManifest(w))
	addGroup(root, "Alerts:", newSend(w), newTest(w), newRun(w), newHeartbeat(w), newHeartbeats(w), newIncidents(w), newIncidentsList(w), newIncidentsShow(w),
		newAck(w), newUnack(w), newAssign(w), newNote(w), newResolve(w), newReopen(w),
		newSilence(w), newMute(w), newWhat(w), newOpen(w), newSilences(w), newUnsilence(w), newQueue(w),
		newStatus(w), newDoctor(w), newStats(w), newOnCall(w), newWho(w))
	addGroup(root, "Other:", newCompletion(w), newVersion(w))
	root.SetHelpCommandGroupID("Other:")
	addHelp(root)
	return root
}

// addGroup adds commands that the help lists under one heading.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = title
		root.AddCommand(cmd)
	}
}
