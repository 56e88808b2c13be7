package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tocsin/alert"
)

// folderWithStore returns an open store in a folder of its own, with one alert.
func folderWithStore(t *testing.T) (d *DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "state", "tocsin.db")
	d = reopen(t, "sqlite:"+path)
	commit(t, d, fire(incident("before", "#db", 1)))
	return d, path
}

// mustSayReplaced checks that nothing is accepted, and that the reason names the file.
func mustSayReplaced(t *testing.T, d *DB, path string) {
	t.Helper()
	_ = d.Ping(t.Context()) // a transaction that had begun before, like pruning's, ends in doubt
	for _, err := range []error{d.Ping(t.Context()), d.Commit(t.Context(), fire(incident("refused", "#db", 1)))} {
		mustBe(t, err, alert.ErrUnavailable)
		mustBe(t, err, ErrReplaced)
		if !strings.Contains(err.Error(), path+" was removed, moved, replaced or truncated") {
			t.Errorf("error %q doesn't name %s", err, path)
		}
	}
	if p := d.Problems(); len(p) != 1 || p[0].Code != alert.ProblemStoreChanged {
		t.Errorf("the problems are %+v", p)
	}
}

func TestNothingIsAcceptedWhileAFileOfTheStoreIsNotTheOneThatWasOpened(t *testing.T) {
	away := func(names ...string) func(path string) (string, error) {
		return func(path string) (string, error) {
			var err error
			for _, name := range names {
				err = errors.Join(err, os.Rename(path+name, path+name+".away"))
			}
			return path + names[0], err
		}
	}
	for name, c := range map[string]struct {
		// do returns which file the error names.
		do func(path string) (string, error)
		// undo is the remedy.
		undo func(path string) error
	}{
		"the database is gone": {away(""), func(path string) error { return os.Rename(path+".away", path) }},
		"the WAL is gone":      {away("-wal"), func(path string) error { return os.Rename(path+"-wal.away", path+"-wal") }},
		"the lock is gone":     {away(".lock"), func(path string) error { return os.Rename(path+".lock.away", path+".lock") }},
		"all are gone": {away("", "-wal", "-shm", ".lock"), func(path string) error {
			return errors.Join(os.Rename(path+".away", path), os.Rename(path+"-wal.away", path+"-wal"),
				os.Rename(path+"-shm.away", path+"-shm"), os.Rename(path+".lock.away", path+".lock"))
		}},
		"the folder is moved": {func(path string) (string, error) {
			return path, os.Rename(filepath.Dir(path), filepath.Dir(path)+".away")
		}, func(path string) error { return os.Rename(filepath.Dir(path)+".away", filepath.Dir(path)) }},
		"a copy is in its place": {func(path string) (string, error) {
			content, err := os.ReadFile(path)
			return path, errors.Join(err, os.Rename(path, path+".away"), os.WriteFile(path, content, 0o600))
		}, func(path string) error { return os.Rename(path+".away", path) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, path := folderWithStore(t)
			named, err := c.do(path)
			must(t, err)
			mustSayReplaced(t, d, named)
			must(t, c.undo(path))
			must(t, d.Ping(t.Context()))
			if p := d.Problems(); len(p) != 0 {
				t.Errorf("with the files back the problems are %+v", p)
			}
			commit(t, d, fire(incident("after", "#db", 1)))
			if l := balanced(t, d); l.Total.Accepted != 2 {
				t.Errorf("%d alerts were accepted, want the ones before and after", l.Total.Accepted)
			}
		})
	}
}

func TestAFileThatIsTruncatedInItsPlaceIsNoticed(t *testing.T) {
	for name, truncate := range map[string]func(path string) (string, error){
		"the database": func(path string) (string, error) { return path, os.Truncate(path, 0) },
		"the WAL":      func(path string) (string, error) { return path + "-wal", os.Truncate(path+"-wal", 0) },
		"the WAL's end": func(path string) (string, error) {
			info, err := os.Stat(path + "-wal")
			must(t, err)
			return path + "-wal", os.Truncate(path+"-wal", info.Size()-1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, path := folderWithStore(t)
			for range 2 { // until the store's own pruning is over: SQLite recovers what is truncated during a transaction
				must(t, d.Prune(t.Context(), d.now()))
			}
			named, err := truncate(path)
			must(t, err)
			mustSayReplaced(t, d, named)
		})
	}
}

func TestALinkThatLeadsElsewhereIsNoticed(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	for _, folder := range []string{"one", "two"} {
		must(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
	}
	must(t, os.Symlink("one", link))
	d := reopen(t, "sqlite:"+filepath.Join(link, "tocsin.db"))
	must(t, os.Remove(link))
	must(t, os.Symlink("two", link))
	mustSayReplaced(t, d, filepath.Join(link, "tocsin.db"))
}

func TestWhatIsWrittenIntoAFileWithoutANameIsNotConfirmed(t *testing.T) {
	d, path := folderWithStore(t)
	err := d.write(t.Context(), func(w *writer, ctx context.Context) error {
		_, err := w.exec(ctx, "INSERT INTO homes (person, hash) VALUES ('a', '')")
		return errors.Join(err, os.Remove(path))
	})
	mustBe(t, err, alert.ErrInDoubt)
	mustBe(t, d.Ping(t.Context()), ErrReplaced)
}

func TestWhatSQLiteDoesToItsFilesIsNotMistaken(t *testing.T) {
	d, path := folderWithStore(t)
	for n, statement := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA incremental_vacuum", "PRAGMA optimize"} {
		must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
			_, err := w.conn.ExecContext(ctx, "COMMIT") // VACUUM needs to be alone
			if err == nil {
				_, err = w.conn.ExecContext(ctx, statement)
			}
			if err == nil {
				_, err = w.conn.ExecContext(ctx, w.dialect.begin)
			}
			return err
		}))
		commit(t, d, fire(incident(statement, "#db", 1)))
		if l := balanced(t, d); l.Total.Accepted != int64(n+2) {
			t.Errorf("after %s the ledger is %+v", statement, l.Total)
		}
	}
	backup := sql.OpenDB(onlookerConnector("file:" + path))
	_, err := backup.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)") // as a program that copies the store does
	must(t, errors.Join(err, backup.Close()))
	commit(t, d, fire(incident("copied", "#db", 1)))
	onlooker := onlookerConnector("file:" + path + "?mode=ro")
	conn, err := onlooker.Connect(t.Context())
	must(t, err)
	must(t, conn.Close())
	must(t, d.readers.Close())
	must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
		w.discard() // the last connection
		err := w.connect(ctx)
		if err == nil {
			_, err = w.exec(ctx, w.dialect.begin)
		}
		return err
	}))
	commit(t, d, fire(incident("after", "#db", 1)))
}

func TestAStoreMayBeReachedThroughLinksAndMounts(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, dir string) (path string){
		"a linked folder": func(t *testing.T, dir string) string {
			must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
			must(t, os.Symlink("real", filepath.Join(dir, "link")))
			return filepath.Join(dir, "link", "tocsin.db")
		},
		"a linked file": func(t *testing.T, dir string) string {
			must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
			must(t, os.Symlink("real/other.db", filepath.Join(dir, "tocsin.db")))
			return filepath.Join(dir, "tocsin.db")
		},
		"a bind mount": func(t *testing.T, dir string) string {
			real, mounted := smallDisk(t), filepath.Join(dir, "mounted")
			must(t, os.Mkdir(mounted, 0o700))
			must(t, syscall.Mount(real, mounted, "", syscall.MS_BIND, ""))
			t.Cleanup(func() { must(t, syscall.Unmount(mounted, syscall.MNT_DETACH)) })
			return filepath.Join(mounted, "tocsin.db")
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := prepare(t, t.TempDir())
			for n := range 2 {
				d := reopen(t, "sqlite:"+path)
				commit(t, d, fire(incident(alert.NewID(), "#db", 1)))
				must(t, d.Ping(t.Context()))
				if l := balanced(t, d); l.Total.Accepted != int64(n+1) {
					t.Errorf("the ledger is %+v", l.Total)
				}
				must(t, d.Close())
			}
		})
	}
}

func TestOpenRefusesASecondDaemonThroughAHardLinkOrWithoutTheLockFile(t *testing.T) {
	for name, prepare := range map[string]func(path string) (string, error){
		"a hard link":      func(path string) (string, error) { return path + ".link", os.Link(path, path+".link") },
		"no lock file":     func(path string) (string, error) { return path, os.Remove(path + ".lock") },
		"in another place": func(path string) (string, error) { return path + ".moved", os.Rename(path, path+".moved") },
	} {
		t.Run(name, func(t *testing.T) {
			_, path := folderWithStore(t)
			second, err := prepare(path)
			must(t, err)
			_, err = Open(t.Context(), "sqlite:"+second, Options{})
			mustSay(t, err, second, "another tocsin uses it", "stop that one")
		})
	}
}

func TestADaemonWhoseFilesWereRemovedLeavesThoseOfTheNextOneAlone(t *testing.T) {
	first, path := folderWithStore(t)
	for _, name := range []string{"", "-wal", "-shm", ".lock"} {
		must(t, os.Remove(path+name))
	}
	second := reopen(t, "sqlite:"+path)
	commit(t, second, fire(incident("a", "#db", 1)))
	mustSayReplaced(t, first, path)
	must(t, first.Close())
	commit(t, second, fire(incident("b", "#db", 1)))
	if l := balanced(t, second); l.Total.Accepted != 2 {
		t.Errorf("the ledger of the second is %+v", l.Total)
	}
}

func TestWhatIsInARemovedWALIsSavedByARestart(t *testing.T) {
	d, path := folderWithStore(t)
	must(t, os.Remove(path+"-wal"))
	mustSayReplaced(t, d, path+"-wal")
	must(t, d.Close())
	again := reopen(t, "sqlite:"+path)
	if l := balanced(t, again); l.Total.Accepted != 1 {
		t.Errorf("the ledger is %+v, want the alert from before", l.Total)
	}
}
