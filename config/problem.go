package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tocsin/alert"
)

// Problem is one mistake in the configuration.
type Problem struct {
	// Where is file:line:column, a variable's name, --flag, or an option's key.
	Where string `json:"where"`
	// Message says what is wrong. It never contains a secret.
	Message string `json:"message"`
	// Fix says what to write instead, or where to find it.
	Fix string `json:"fix"`
	// Tolerated is set where everything works in spite of it.
	Tolerated bool `json:"-"`
	// Missing is set where a token is not there at all.
	Missing bool `json:"-"`
	// Token is what looks wrong, which Slack may accept all the same; empty for anything
	// but a token.
	Token alert.Secret `json:"-"`

	line, column int
}

// String returns the problem on one line: "where: message; fix".
func (p Problem) String() string {
	return fmt.Sprintf("%s: %s; %s", p.Where, p.Message, p.Fix)
}

// Errors is all mistakes in a configuration.
type Errors struct {
	// Problems has at least one, those of the YAML file first and in its order.
	Problems []Problem
	// Warnings would not keep the daemon from starting, such as a token of the wrong
	// kind, but can be fixed together with the rest.
	Warnings []Problem
}

// Error returns a headline and, for each problem and warning, a line with what is
// wrong and an indented line with what to write instead.
func (e *Errors) Error() string {
	var b strings.Builder
	if n := len(e.Problems); n == 1 {
		b.WriteString("read configuration: 1 mistake")
	} else {
		fmt.Fprintf(&b, "read configuration: %d mistakes", n)
	}
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s: %s\n      %s", p.Where, p.Message, p.Fix)
	}
	for _, p := range e.Warnings {
		fmt.Fprintf(&b, "\n  warning: %s: %s\n      %s", p.Where, p.Message, p.Fix)
	}
	return b.String()
}

// inOrder sorts by place in the YAML file. Problems elsewhere follow in the order they
// were found.
func inOrder(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if (a.line == 0) != (b.line == 0) {
			return cmp.Compare(b.line, a.line)
		}
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	return problems
}

// flaw is what is wrong with a value, regardless of its source.
type flaw struct {
	message string
	write   []string // values to write instead
	advice  string   // said after them, or alone when there are none
}

func (f *flaw) fix(opt spec, from Origin) string {
	var parts []string
	if len(f.write) > 0 {
		alternatives := make([]string, len(f.write))
		for i, value := range f.write {
			alternatives[i] = from.assign(opt, value)
		}
		parts = append(parts, "write "+strings.Join(alternatives, ", or "))
	}
	if f.advice != "" {
		parts = append(parts, f.advice)
	}
	return strings.Join(parts, "; ")
}
