package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"

	"tocsin/config"
)

func newToken(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make tokens for senders",
		Args:  noArgs,
		RunE:  subcommandRequired,
	}
	cmd.AddCommand(newTokenNew(w))
	return cmd
}

// madeToken is a new token, with what the configuration needs of it.
type madeToken struct {
	Name  string `json:"name"`
	Token string `json:"token"`
	Hash  string `json:"hash"`
}

func newTokenNew(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a token for a sender and print it, this once",
		Long: `Make a token for a sender and print it, this once: nothing is stored or changed. What has to
be added to the configuration is printed on standard error. It has only a hash of the
token, so that the token itself is nowhere on the server.`,
		Example: `  tocsin token new ci
  tocsin token new ci 2>>tocsin.yaml | gh secret set TOCSIN_TOKEN`,
		Args: arguments(1, 1, "what is the token called? Give one name, which cards will show"),
	}
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if !config.ValidTokenName(args[0]) {
			return &usageError{fmt.Errorf("%q can't be a token's name: use letters, digits, dots, dashes and underscores", args[0])}
		}
		made := newTokenNamed(args[0])
		if *asJSON {
			return writeJSON(w.stdout, made)
		}
		if _, err := fmt.Fprintln(w.stdout, made.Token); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w.stderr, "# for the configuration; what else a token can have is in: tocsin config example\nlisten:\n  tokens:\n    - name: %s\n      hash: %s\n", made.Name, made.Hash)
		return err
	}
	return cmd
}

// newTokenNamed makes a token of 256 random bits.
func newTokenNamed(name string) madeToken {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // it never fails
	token := "tocsin_" + hex.EncodeToString(random)
	return madeToken{name, token, config.TokenHash(token)}
}
