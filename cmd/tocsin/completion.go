package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

func newCompletion(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a script that makes a shell complete tocsin's commands",
		Long: `The script completes commands, flags and their values. Ids of incidents, silences and
deliveries and the names of conversations come from the running daemon.`,
		Example: `  source <(tocsin completion bash)                                     this shell only
  tocsin completion bash > /etc/bash_completion.d/tocsin               needs bash-completion
  tocsin completion zsh > "${fpath[1]}/_tocsin"
  tocsin completion fish > ~/.config/fish/completions/tocsin.fish`,
		ValidArgs: []cobra.Completion{"bash", "zsh", "fish"},
		Args:      arguments(1, 1, "which shell: bash, zsh or fish?"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(w.stdout, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(w.stdout)
			case "fish":
				return cmd.Root().GenFishCompletion(w.stdout, true)
			}
			return &usageError{fmt.Errorf("there is no completion for %s; write bash, zsh or fish", args[0])}
		},
	}
}

// completionTimeout is how long a person who presses Tab waits for the daemon.
const completionTimeout = 500 * time.Millisecond

// lister asks the daemon for words that complete the command line.
type lister func(ctx context.Context, c *clientCmd) ([]cobra.Completion, error)

// listed asks for an answer, and makes words of it.
func listed[T any](path string, words func(answer T) []cobra.Completion) lister {
	return func(ctx context.Context, c *clientCmd) ([]cobra.Completion, error) {
		var answer T
		err := c.get(ctx, path, &answer)
		return words(answer), err
	}
}

// complete offers what the daemon lists, less what has been typed already, for a
// command that takes at most so many arguments. It offers nothing when no daemon
// answers: an error would spoil the prompt.
func (c *clientCmd) complete(most int, list lister) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		words, err := list(ctx, c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words = slices.DeleteFunc(words, func(c cobra.Completion) bool {
			word, _, _ := strings.Cut(c, "\t")
			return !strings.HasPrefix(word, toComplete) || slices.Contains(args, word)
		})
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// incidentIDs lists the incidents in these states, worst first.
func incidentIDs(states string) lister {
	return listed("/v1/incidents?limit=100&state="+states, func(page incidentPage) (words []cobra.Completion) {
		for _, i := range page.Incidents {
			words = append(words, cobra.CompletionWithDesc(i.ID, fmt.Sprintf("%s: %s", i.Severity, brief(i.Title))))
		}
		return words
	})
}

// silenceIDs lists the silences in effect.
func silenceIDs() lister {
	return listed("/v1/silences", func(page silencePage) (words []cobra.Completion) {
		for _, s := range page.Silences {
			words = append(words, cobra.CompletionWithDesc(s.ID, brief(s.Matchers.String()+" "+s.Why)))
		}
		return words
	})
}

// deliveryIDs lists the latest deliveries in these states.
func deliveryIDs(states string) lister {
	return listed("/v1/deliveries?limit=100&state="+states, func(page deliveryPage) (words []cobra.Completion) {
		for _, d := range page.Deliveries {
			words = append(words, cobra.CompletionWithDesc(d.ID, brief(fmt.Sprintf("%s %s %s", d.Lane, d.State, d.Reason))))
		}
		return words
	})
}

// completeConversation offers the conversations that alerts have been sent to.
// A channel is offered without its # unless that was typed: to a shell an
// unquoted # begins a comment, and Tocsin needs none.
func (c *clientCmd) completeConversation() cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		list := listed("/v1/ledger", func(ledger alert.Ledger) (words []cobra.Completion) {
			for _, lane := range ledger.Lanes {
				if strings.HasPrefix(toComplete, "#") {
					words = append(words, lane.Lane)
				} else {
					words = append(words, strings.TrimPrefix(lane.Lane, "#"))
				}
			}
			return words
		})
		return c.complete(1, list)(cmd, nil, toComplete)
	}
}

// completeFlag sets how a flag's value is completed. It fails only for a flag
// that does not exist, which the tests of the command line would show.
func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	_ = cmd.RegisterFlagCompletionFunc(flag, complete)
}

func oneOf(values ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}

func completeFile(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}
