package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/config"
	"tocsin/store"
)

func newStore(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Back up, restore, check, measure and move the store",
		Long: `Back up, restore, check, measure and move the store, whose address is in the daemon's
configuration. These commands read its files, so they need the rights of the daemon's user
or root. backup, check and stats work while the daemon runs.`,
		Args: noArgs,
		RunE: subcommandRequired,
	}
	cmd.AddCommand(newStoreBackup(w), newStoreRestore(w), newStoreCheck(w), newStoreStats(w), newStoreVacuum(w), newStoreCopy(w))
	return cmd
}

// storeCmd is what the commands about the store share.
type storeCmd struct {
	world
	flags  func() map[string]string
	asJSON *bool
}

func newStoreCmd(w world, cmd *cobra.Command) storeCmd {
	c := storeCmd{world: w, flags: configFlag(cmd), asJSON: cmd.Flags().Bool("json", false, "print as JSON")}
	cmd.Flags().String("store", "", "database `URL`: sqlite:PATH or postgres://…")
	return c
}

// url is the address of the store.
func (c storeCmd) url(ctx context.Context) (string, error) {
	url, err := config.LoadStore(thisHost(c.world).asService(ctx, c.input(c.flags())))
	return url.Reveal(), err
}

// snapshot hands the store as it is now to a function.
func (c storeCmd) snapshot(ctx context.Context, use func(*store.Snapshot) error) (err error) {
	url, err := c.url(ctx)
	if err != nil {
		return err
	}
	s, err := store.OpenSnapshot(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return use(s)
}

// quietFor is how long nothing is said of progress where there is no terminal, so that cron
// has nothing to mail.
const quietFor = 10 * time.Second

// progress shows on standard error how many bytes are done.
func (c storeCmd) progress() (show store.Progress, clear func()) {
	return c.progressOf(func(done, total int64) string { return fmt.Sprintf("%s of %s", size(done), size(total)) })
}

// progressOf shows on standard error how much is done, in these words, ten times a second.
func (c storeCmd) progressOf(words func(done, total int64) string) (show store.Progress, clear func()) {
	p := newProgress(c.world, 0)
	var last time.Time
	return func(done, total int64) {
		if done < total && time.Since(last) < 100*time.Millisecond {
			return
		}
		last = time.Now()
		p.read, p.total = done, total
		if p.width == 0 && time.Since(p.began) < quietFor {
			return
		}
		p.draw(words(done, total))
	}, p.clear
}

func newStoreBackup(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the store to a new file, also while the daemon runs",
		Long: `Copy the store to a new file, also while the daemon runs, which goes on accepting and
delivering. The file is the store as it was at one moment. It gets its name once it is
complete, checked, compared with the store's ledger and synced to disk; only its owner can
read it. An existing file is never replaced, and a backup that fails leaves nothing behind.

A backup has everything that alerts say. Where it has to be encrypted, put it on an
encrypted file system or pipe the finished file through age or gpg. A PostgreSQL store is
backed up with pg_dump.`,
		Example: `  sudo tocsin store backup /var/backups/tocsin-$(date +%F).db`,
		Args:    arguments(1, 1, "where to? Give the name of a new file"),
	}
	c := newStoreCmd(w, cmd)
	cmd.ValidArgsFunction = completeFile
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.snapshot(cmd.Context(), func(s *store.Snapshot) error {
			show, clear := c.progress()
			r, err := s.Backup(cmd.Context(), args[0], show)
			clear()
			if err != nil {
				return err
			}
			return c.print(*c.asJSON, r, fmt.Sprintf("%s has %s\n", args[0], ledgerWords(r)))
		})
	}
	return cmd
}

// ledgerWords says what a store has.
func ledgerWords(r store.Report) string {
	words := fmt.Sprintf("schema %d and %s: %d pending, %d delivered, %d folded, %d silenced, %d dead", r.Schema,
		counted(r.Ledger.Accepted, "alert"), r.Ledger.Pending, r.Ledger.Delivered, r.Ledger.Folded, r.Ledger.Silenced, r.Ledger.Dead)
	if r.Arrivals > 0 {
		words += "; queued for the active replica: " + counted(r.Arrivals, "request")
	}
	return words
}

func newStoreRestore(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the store; the daemon must be stopped",
		Long: `Put a backup in the place of the store. The daemon must be stopped. The backup is checked
first and stays where it is; one of a later version of tocsin is refused, one of an earlier
version is brought up to date when the daemon starts. The store that was there is kept
beside the new one, under a name with the time.

What was pending in the backup is delivered when the daemon starts, also if it was
delivered after the backup was made. What was accepted after that is only in the store
that was there.`,
		Example: `  sudo systemctl stop tocsin
  sudo tocsin store restore /var/backups/tocsin-2026-11-28.db
  sudo systemctl start tocsin`,
		Args: arguments(1, 1, "from where? Give the name of a backup"),
	}
	c := newStoreCmd(w, cmd)
	cmd.ValidArgsFunction = completeFile
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		url, err := c.url(cmd.Context())
		if err != nil {
			return err
		}
		show, clear := c.progress()
		r, err := store.Restore(cmd.Context(), url, args[0], time.Now(), show)
		clear()
		if err != nil {
			return err
		}
		text := fmt.Sprintf("the store has %s\n", ledgerWords(r.Report))
		if r.Before != "" {
			text += fmt.Sprintf("what was there is in %s; remove it when it is not needed any more\n", r.Before)
		}
		return c.print(*c.asJSON, r, text)
	}
	return cmd
}

var errDamaged = errors.New("the store is damaged: tocsin store restore puts a backup in its place")

func newStoreCheck(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for damage in the store; exit 1 if there is any",
		Long: `Look for damage in the store, also while the daemon runs: in the file (SQLite), in what rows
refer to, and in the ledger, which has to agree with the alerts. It reads everything. The
exit status is 1 if something is wrong. The sums of PostgreSQL's pages are PostgreSQL's
business (pg_amcheck).`,
		Example: `  sudo tocsin store check
  sudo tocsin store check --store sqlite:/var/backups/tocsin-2026-11-28.db`,
		Args: noArgs,
	}
	c := newStoreCmd(w, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.snapshot(cmd.Context(), func(s *store.Snapshot) error {
			r, err := s.Check(cmd.Context())
			if err != nil {
				return err
			}
			text := "good: " + ledgerWords(r) + "\n"
			if !r.OK {
				text, err = strings.Join(r.Problems, "\n")+"\n", errDamaged
			}
			return errors.Join(c.print(*c.asJSON, r, text), err)
		})
	}
	return cmd
}

func newStoreStats(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show how large the store and its tables are, and how old what is in it",
		Long: `Show how large the store and its tables are, and how old what is in it, also while the
daemon runs. It reads everything once.`,
		Example: "  sudo tocsin store stats --json | jq '.tables[0]'",
		Args:    noArgs,
	}
	c := newStoreCmd(w, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.snapshot(cmd.Context(), func(s *store.Snapshot) error {
			sizes, err := s.Sizes(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(*c.asJSON, sizes, sizesText(sizes))
		})
	}
	return cmd
}

func sizesText(s store.Sizes) string {
	l := s.Ledger
	text := fields([][2]string{
		{"store", s.Store}, {"schema", fmt.Sprint(s.Schema)}, {"size", size(s.Bytes)}, {"unused", some(s.Unused)}, {"write-ahead log", some(s.WAL)},
		{"accepted", fmt.Sprintf("%d: %d pending, %d delivered, %d folded, %d silenced, %d dead", l.Accepted, l.Pending, l.Delivered, l.Folded, l.Silenced, l.Dead)},
		{"oldest alert", ago(s.OldestAlert)}, {"newest alert", ago(s.NewestAlert)}, {"oldest pending alert", ago(s.OldestPending)}, {"oldest dead letter", ago(s.OldestDead)},
	})
	return text + "\n" + table(func(line func(cells ...any)) {
		line("TABLE", "ROWS", "SIZE")
		for _, t := range s.Tables {
			line(t.Name, t.Rows, size(t.Bytes))
		}
	})
}

// size is a number of bytes for people.
func size(bytes int64) string {
	const step = 1000
	if bytes < step {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes), -1
	for ; value >= step && unit < 3; unit++ {
		value /= step
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGT"[unit])
}

// some is a size, or nothing for none.
func some(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return size(bytes)
}

func newStoreVacuum(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vacuum",
		Short: "Rewrite the store's file as small as it can be; the daemon must be stopped",
		Long: `Rewrite the file of a SQLite store, so that it is as small as it can be and its rows are
in order. The daemon must be stopped, and the disk needs room for a second file. It is
seldom worth it: every hour, a running daemon gives the space of what it forgets back to the
disk. If it is interrupted, the store is as before.`,
		Args: noArgs,
	}
	c := newStoreCmd(w, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		url, err := c.url(cmd.Context())
		if err != nil {
			return err
		}
		show, clear := c.progress()
		v, err := store.Vacuum(cmd.Context(), url, show)
		clear()
		if err != nil {
			return err
		}
		return c.print(*c.asJSON, v, fmt.Sprintf("the store had %s and has %s\n", size(v.Before), size(v.After)))
	}
	return cmd
}
