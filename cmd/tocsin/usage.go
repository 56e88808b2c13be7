package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tocsin/alert"
)

// newHelp shows the help of the command its arguments name. Unlike cobra's
// own, it fails when there is no such command.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || found.HasSubCommands() && len(rest) > 0 {
				return unknownCommand(found, rest[0])
			}
			found.InitDefaultHelpFlag() // cobra does it only for the command that runs
			return found.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
			parent, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []cobra.Completion
			for _, sub := range parent.Commands() {
				if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), toComplete) {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
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

// arguments checks how many there are; otherwise the remedy is the error.
func arguments(least, most int, remedy string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return &usageError{errors.New(remedy)}
		}
		return nil
	}
}

// manyArguments is how many arguments a list may have.
const manyArguments = 1000000

func unknownCommand(parent *cobra.Command, name string) error {
	return &usageError{fmt.Errorf("%s has no command %q%s", parent.CommandPath(), name, didYouMean(commandsLike(parent, name)))}
}

// commandsLike lists the subcommands that name may be meant for.
func commandsLike(parent *cobra.Command, name string) []string {
	var like []string
	for _, sub := range parent.Commands() {
		if sub.IsAvailableCommand() && mistyped(name, sub.Name()) {
			like = append(like, sub.Name())
		}
	}
	return like
}

// flagsLike lists the flags that name may be meant for.
func flagsLike(cmd *cobra.Command, name string) []string {
	var like []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if mistyped(name, f.Name) {
			like = append(like, "--"+f.Name)
		}
	})
	return like
}

// mistyped reports whether typed is the beginning of word, or word with one
// wrong letter in every three.
func mistyped(typed, word string) bool {
	wrong := max(1, len(word)/3)
	return strings.HasPrefix(word, typed) || alert.Distance(typed, word, wrong) <= wrong
}

func didYouMean(like []string) string {
	if len(like) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", strings.Join(like, " or "))
}

// orMistyped is err, or what was meant if the first argument looks like a
// mistyped command of cmd.
func orMistyped(cmd *cobra.Command, args []string, err error) error {
	if len(commandsLike(cmd, args[0])) > 0 {
		return unknownCommand(cmd, args[0])
	}
	return err
}

// subcommandRequired is what a command that does nothing by itself runs.
func subcommandRequired(cmd *cobra.Command, _ []string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	return &usageError{fmt.Errorf("%s needs one of its commands: %s", cmd.CommandPath(), strings.Join(names, ", "))}
}

// flagError says what is wrong with a flag, once and with the remedy.
func flagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if ok && unknown.GetSpecifiedShortnames() != "" {
		return &usageError{fmt.Errorf("unknown flag -%s", unknown.GetSpecifiedName())}
	}
	if ok {
		name := unknown.GetSpecifiedName()
		return &usageError{fmt.Errorf("unknown flag --%s%s", name, didYouMean(flagsLike(cmd, name)))}
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

// valueRemedy says what to write for a flag.
func valueRemedy(flag *pflag.Flag, err error) string {
	switch flag.Value.Type() {
	case "bool":
		return "write true or false"
	case "int":
		return "write a whole number"
	case "duration":
		return "write a duration such as 30s, 2h30m or 7d"
	case "time":
		return "write a time such as 2026-01-02T15:04:05Z"
	}
	return errors.Unwrap(err).Error()
}

// durationFlag is the value of a flag, read as durations are everywhere in Tocsin.
type durationFlag time.Duration

// Set reads a duration.
func (d *durationFlag) Set(text string) error {
	read, err := alert.ParseDuration(text)
	*d = durationFlag(read)
	return err
}

func (d *durationFlag) String() string { return short(time.Duration(*d)) }

// Type is the placeholder in the help.
func (d *durationFlag) Type() string { return "duration" }
