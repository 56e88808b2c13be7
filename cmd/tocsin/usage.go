package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tocsin/alert"
)

// addHelp adds cobra's command help, which here fails when there is no such command.
func addHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"}) // it was just added
	help.Use, help.Short, help.Long, help.Run = "help [COMMAND]", "Show the help of a command", "", nil
	help.RunE = func(_ *cobra.Command, args []string) error {
		found, rest, err := root.Find(args)
		if err != nil || found.HasSubCommands() && len(rest) > 0 {
			return unknownCommand(found, rest[0])
		}
		found.InitDefaultHelpFlag() // cobra does it only for the command that runs
		return found.Help()
	}
}

// noArgs refuses arguments; a command with subcommands says which one may be
// meant.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasSubCommands():
		return unknownCommand(cmd, args[0])
	}
	return &usageError{fmt.Errorf("%s takes no arguments, but got %q", cmd.CommandPath(), args[0])}
}

// arguments checks how many there are, and that one that is needed is not empty;
// otherwise the remedy is the error.
func arguments(least, most int, remedy string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most || least > 0 && slices.Contains(args, "") {
			return &usageError{errors.New(remedy)}
		}
		return nil
	}
}

// manyArguments is how many arguments a list may have.
const manyArguments = 1000000

func unknownCommand(parent *cobra.Command, name string) error {
	for _, sub := range parent.Commands() {
		if slices.Contains(sub.SuggestFor, name) {
			return &usageError{fmt.Errorf("%s has no command %q; did you mean %s?", parent.CommandPath(), name, sub.Name())}
		}
	}
	if slices.Contains([]string{"subscribe", "subscriptions", "unsubscribe"}, name) {
		return &usageError{fmt.Errorf("%s has no command %q: that is done in Slack, with /notify %[2]s", parent.CommandPath(), name)}
	}
	remedy := didYouMean(name, subcommands(parent))
	if remedy == "" {
		remedy = "; " + parent.CommandPath() + " --help lists them"
		if !parent.HasParent() && !strings.ContainsFunc(name, notOfWords) {
			remedy += ", " + parent.CommandPath() + " list " + name + " looks for it"
		}
	}
	return &usageError{fmt.Errorf("%s has no command %q%s", parent.CommandPath(), name, remedy)}
}

// notOfWords reports a character that a shell may want quoted.
func notOfWords(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
}

// didYouMean ends a message with the words that typed may be meant for: those
// that begin with it, or that differ in at most a third of their letters.
func didYouMean(typed string, words []string) string {
	var like []string
	for _, word := range words {
		wrong := max(1, len(word)/3)
		if strings.HasPrefix(word, typed) || alert.Distance(typed, word, wrong) <= wrong {
			like = append(like, word)
		}
	}
	if len(like) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", strings.Join(like, " or "))
}

// orMistyped is err, or what was meant if the first argument looks like a
// mistyped command of cmd.
func orMistyped(cmd *cobra.Command, args []string, err error) error {
	if didYouMean(args[0], subcommands(cmd)) != "" {
		return unknownCommand(cmd, args[0])
	}
	return err
}

// subcommandRequired is what a command that does nothing by itself runs.
func subcommandRequired(cmd *cobra.Command, _ []string) error {
	return &usageError{fmt.Errorf("%s needs one of its commands: %s", cmd.CommandPath(), strings.Join(subcommands(cmd), ", "))}
}

func subcommands(cmd *cobra.Command) []string {
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	return names
}

// alsoCalled gives flags of a command the names that other tools have for them.
func alsoCalled(cmd *cobra.Command, names map[string]string) {
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if known, ok := names[name]; ok {
			name = known
		}
		return pflag.NormalizedName(name)
	})
}

// flagError says what is wrong with a flag, once and with the remedy.
func flagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if args := cmd.Flags().Args(); ok && !cmd.HasParent() && len(args) > 0 { // of no command
		return unknownCommand(cmd, args[0])
	}
	if ok && unknown.GetSpecifiedShortnames() != "" {
		return &usageError{fmt.Errorf("unknown flag -%s", unknown.GetSpecifiedName())}
	}
	if ok {
		var flags []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, "--"+f.Name) })
		name := "--" + unknown.GetSpecifiedName()
		remedy := didYouMean(name, flags)
		if remedy == "" && !cmd.HasParent() {
			remedy = "; flags are behind a command, as in tocsin list --json"
		}
		return &usageError{fmt.Errorf("unknown flag %s%s", name, remedy)}
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return &usageError{fmt.Errorf("--%s needs a value", missing.GetFlag().Name)}
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag := bad.GetFlag()
		return &usageError{fmt.Errorf("--%s is %q: %s", flag.Name, bad.GetValue(), valueRemedy(flag, err))}
	}
	return &usageError{err}
}

// timeFlag is a flag whose value is a time, written as alerts write it.
type timeFlag struct{ *time.Time }

func (timeFlag) Type() string { return "time" }

func (f timeFlag) String() string {
	if f.Time == nil || f.IsZero() {
		return ""
	}
	return f.Format(time.RFC3339)
}

func (f timeFlag) Set(text string) (err error) {
	*f.Time, err = alert.ParseTime(text)
	return err
}

// valueRemedy says what to write for a flag.
func valueRemedy(flag *pflag.Flag, err error) string {
	switch flag.Value.Type() {
	case "bool":
		return "write true or false"
	case "int":
		return "write a whole number"
	case "func":
		if own := errors.Unwrap(err); own != nil && strings.HasPrefix(own.Error(), "write ") {
			return own.Error()
		}
		return "write a duration such as 30s, 2h30m or 7d"
	case "time":
		return "write a time such as 2026-01-02T15:04:05Z"
	}
	return errors.Unwrap(err).Error()
}
