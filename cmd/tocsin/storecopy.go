package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"tocsin/store"
)

func newStoreCopy(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "copy --to URL",
		Short: "Copy the store to another one, also from SQLite to PostgreSQL; the daemon must be stopped",
		Long: `Copy the store to an empty one, from SQLite to PostgreSQL or back. The daemon must be
stopped. Every row is copied, the ledgers are compared, and the new store is checked as by
store check. The old store stays as it was, but for its tables, which are brought up to
date as by the daemon.

If it is interrupted, the same command goes on where it was; until it has finished, a daemon
refuses the new store. PostgreSQL's password can be in PGPASSFILE or ~/.pgpass, where no
other user sees it.`,
		Example: `  sudo systemctl stop tocsin.socket tocsin
  sudo tocsin store copy --to postgres://tocsin@db.example.com/tocsin
  # name the new store in TOCSIN_STORE or in the configuration, then
  sudo systemctl start tocsin`,
		Args: noArgs,
	}
	c := storeCmd{world: w, flags: configFlag(cmd), asJSON: cmd.Flags().Bool("json", false, "print as JSON")}
	from := cmd.Flags().String("from", "", "copy the store at this `URL`; default: that of the configuration")
	to := cmd.Flags().String("to", "", "the empty store's `URL`: sqlite:PATH or postgres://…")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *to == "" {
			return &usageError{errors.New("where to? Add --to sqlite:PATH or --to postgres://…")}
		}
		old := *from
		if old == "" {
			var err error
			if old, err = c.url(cmd.Context()); err != nil {
				return err
			}
		}
		show, clear := c.progressOf(rowsWords)
		r, err := store.Copy(cmd.Context(), old, *to, show)
		clear()
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%s has %s\n%s stays as it was. Name the new store in TOCSIN_STORE or the configuration, and start the daemon.\n",
			r.Store, ledgerWords(r.Report), r.From)
		return c.print(*c.asJSON, r, text)
	}
	return cmd
}

// rowsWords says how many rows are done, always at the same length.
func rowsWords(done, total int64) string {
	return fmt.Sprintf("%*d of %d rows", len(strconv.FormatInt(total, 10)), done, total)
}
