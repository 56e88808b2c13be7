package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// Restored is what Restore has done.
type Restored struct {
	Report
	// Before is where the store is that was there before; empty if there was none.
	Before string `json:"before,omitempty"`
}

// Restore puts a backup in the place of the store that url names. The backup is checked
// before anything is changed, and copied; what was there is kept under another name that has
// the time. No daemon may use the store. It is either the old or the new one at every
// moment, also if this process is killed.
func Restore(ctx context.Context, url, file string, now time.Time, p Progress) (Restored, error) {
	path, ok := strings.CutPrefix(url, "sqlite:")
	if !ok {
		return Restored{}, fmt.Errorf("restore store: it is in PostgreSQL, whose own tools do that: pg_restore --clean --if-exists --dbname=DATABASE %s", file)
	}
	r, err := restore(ctx, path, file, now, p)
	if err != nil {
		return r, fmt.Errorf("restore store from %s: %w", file, orFull(err))
	}
	return r, nil
}

func restore(ctx context.Context, path, file string, now time.Time, p Progress) (r Restored, err error) {
	source, err := openFile(ctx, file)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if r.Report, err = source.Check(ctx); err != nil {
		return r, err
	}
	if !r.OK {
		return r, fmt.Errorf("it is damaged: %s", strings.Join(r.Problems, "; "))
	}
	s, err := lockPlace(path, ".restoring")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if same(s.claim.path, file) {
		return r, errors.New("it is the store itself")
	}
	if _, err := source.copyTo(ctx, s.partial, source.copyPages, p); err != nil {
		return r, err
	}
	r.Before, err = s.replace(ctx, unused(s.claim.path+now.UTC().Format(".20060102T150405Z")))
	return r, err
}

// unused is name, with a number if there is a database of that name.
func unused(name string) string {
	free := name
	for n := 2; exists(free) || exists(free+"-wal"); n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	return free
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	y, wrong := os.Stat(b)
	return err == nil && wrong == nil && os.SameFile(x, y)
}

// place is a SQLite store whose database is about to be replaced. It is locked against daemons.
type place struct {
	claim *files
	// partial is the new database in the making.
	partial string
	// fresh: there was no store.
	fresh bool
}

// lockPlace locks the store at path. suffix ends the name of the new database.
func lockPlace(path, suffix string) (*place, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	s := &place{fresh: err != nil || info.Size() == 0}
	if s.claim, err = claimFiles(path); err != nil {
		if held, ok := errors.AsType[*inUseError](err); ok {
			err = fmt.Errorf("%w (%s): stop the daemon first", errInUse, held.holder)
		}
		return nil, err
	}
	s.partial = s.claim.path + suffix
	if err := s.claim.own("", ".lock"); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// replace puts the new database, which is on disk, in the place of the old one. The old one
// gets the name keep, unless that is empty. kept is its name, or empty if there was none.
func (s *place) replace(ctx context.Context, keep string) (kept string, err error) {
	path := s.claim.path
	if err := s.claim.own(strings.TrimPrefix(s.partial, path)); err != nil {
		return "", err
	}
	settled := s.settle(ctx)
	if settled != nil && (keep == "" || !damaged(settled)) {
		return "", settled
	}
	if keep != "" && !s.fresh {
		if err := os.Link(path, keep); err != nil {
			return "", fmt.Errorf("keep the store that is there: %w", err)
		}
		kept = keep
	}
	if s.fresh || settled != nil { // a damaged database can't take its WAL
		if err := moveWAL(path, keep); err != nil {
			return kept, err
		}
	}
	if err := os.Rename(s.partial, path); err != nil {
		return kept, err
	}
	return kept, syncPath(filepath.Dir(path))
}

// settle writes the WAL into the old database and removes it, or it would become that of
// the new one. SQLite does so only if nobody else has the database open.
func (s *place) settle(ctx context.Context) error {
	if s.fresh {
		return nil
	}
	if err := checkHeader(s.claim.path); err != nil {
		return err
	}
	q := url.Values{"mode": {"rw"}, "_error_rc": {"1"}}
	db := sql.OpenDB(onlookerConnector((&url.URL{Scheme: "file", Path: s.claim.path, RawQuery: q.Encode()}).String()))
	var mode string
	err := db.QueryRowContext(ctx, "PRAGMA journal_mode=DELETE").Scan(&mode)
	if code := sqliteCode(err); code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED || err == nil && mode != "delete" {
		err = errors.New("another program has the store open: find it with fuser or lsof and end it")
	}
	return errors.Join(err, db.Close())
}

// damaged reports whether an error means that a database can't be read.
func damaged(err error) bool {
	return errors.Is(err, errNoDatabase) || slices.Contains([]int{sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR}, sqliteCode(err))
}

// moveWAL moves the WAL of a database to that of its new name, and removes its index.
func moveWAL(path, keep string) error {
	if err := removeFile(path + "-shm"); err != nil {
		return err
	}
	err := os.Rename(path+"-wal", keep+"-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// close gives the store free and removes what was not put in place.
func (s *place) close() error {
	return errors.Join(removeFile(s.partial), s.claim.close())
}

// Vacuumed are the sizes in bytes of a database that Vacuum has rewritten.
type Vacuumed struct {
	Before int64 `json:"bytes_before"`
	After  int64 `json:"bytes"`
}

// Vacuum rewrites the database of a SQLite store, so that it has no unused pages and its
// rows are in order. No daemon may use the store. It takes as much room on the disk as the
// store has.
func Vacuum(ctx context.Context, url string, p Progress) (Vacuumed, error) {
	path, ok := strings.CutPrefix(url, "sqlite:")
	if !ok {
		return Vacuumed{}, errors.New("vacuum store: it is in PostgreSQL, which does that by itself (autovacuum); VACUUM FULL in psql returns space to the disk")
	}
	v, err := vacuum(ctx, path, p)
	if err != nil {
		return v, fmt.Errorf("vacuum store %s: %w", path, orFull(err))
	}
	return v, nil
}

func vacuum(ctx context.Context, path string, p Progress) (v Vacuumed, err error) {
	if err := checkFile(path); err != nil {
		return v, err
	}
	s, err := lockPlace(path, ".vacuuming")
	if errors.Is(err, errInUse) {
		err = fmt.Errorf("%w; while it runs, it gives unused pages back to the disk every hour", err)
	}
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.rewrite(ctx, p); err != nil {
		return v, err
	}
	v = Vacuumed{sizeOf(s.claim.path), sizeOf(s.partial)}
	_, err = s.replace(ctx, "")
	return v, err
}

// rewrite writes the content of the store to the new database.
func (s *place) rewrite(ctx context.Context, p Progress) (err error) {
	old, err := openFile(ctx, s.claim.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	_, err = old.copyTo(ctx, s.partial, old.copyRows, p)
	return err
}

// copyRows copies the tables of a database that nobody else writes.
func (s *Snapshot) copyRows(ctx context.Context, to string, p Progress) error {
	var total int64
	const used = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
	if err := s.each(ctx, used, func(row scanner) error { return row.Scan(&total) }); err != nil {
		return err
	}
	if err := s.end(ctx); err != nil {
		return err
	}
	copied, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-tick.C:
				p(min(sizeOf(to), total), total)
			case <-copied:
				tick.Stop()
				return
			}
		}
	}()
	_, err := s.conn.ExecContext(ctx, "VACUUM INTO ?", to)
	close(copied)
	<-done
	return err
}

// sizeOf is a file's size in bytes; 0 for none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
