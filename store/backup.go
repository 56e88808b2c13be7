package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"modernc.org/sqlite"

	"tocsin/alert"
)

const (
	// copiedAtOnce is how many pages are copied between two reports of progress: 4 MB.
	copiedAtOnce = 1024
	// backupByte is the byte of the database that a backup locks: the one after lockByte.
	backupByte = lockByte + 1
)

// Progress is told how many bytes of how many are copied.
type Progress func(done, total int64)

// Backup writes the snapshot to a new file: the file has its name only once it is complete,
// has been checked as Check does, has the snapshot's ledger, and is on disk. It is readable
// by its owner alone. The snapshot ends when the file has been copied, so that the daemon's WAL
// does not grow while it is checked. An error leaves nothing behind.
func (s *Snapshot) Backup(ctx context.Context, file string, p Progress) (Report, error) {
	if s.path == "" {
		return Report{}, fmt.Errorf("back up store %s: it is in PostgreSQL, whose own tools do that: pg_dump --format=custom --file=%s DATABASE", s.name, file)
	}
	r, err := s.backUp(ctx, file, p)
	if err != nil {
		return r, fmt.Errorf("back up store to %s: %w", file, orFull(err))
	}
	return r, nil
}

func (s *Snapshot) backUp(ctx context.Context, file string, p Progress) (r Report, err error) {
	if err := refuseTarget(file); err != nil {
		return Report{}, err
	}
	guard, err := lockBackup(s.path)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, s.Close(), guard.Close()) }() // in this order: closing the guard drops SQLite's locks
	partial := file + ".partial"
	if r, err = s.copyTo(ctx, partial, s.copyPages, p); err == nil {
		err = publish(partial, file)
	}
	if err != nil {
		return r, errors.Join(err, removeFile(partial))
	}
	return r, nil
}

// refuseTarget refuses the name of a backup that can't be written.
func refuseTarget(file string) error {
	info, err := os.Lstat(file)
	switch {
	case file == "":
		return errors.New("it has no name: name a file")
	case err == nil && info.IsDir():
		return errors.New("it is a folder: name a file in it")
	case err == nil:
		return errExists
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case os.IsPathSeparator(file[len(file)-1]):
		return errors.New("there is no such folder: make it first")
	}
	if _, err := os.Stat(filepath.Dir(file)); err != nil {
		return fmt.Errorf("make its folder first: %w", err)
	}
	return nil
}

var errExists = errors.New("there is a file of that name already, which is left as it is: name a new one")

// lockBackup makes sure that one backup of a store is made at a time, so that what an
// earlier one has left can be removed. The lock is released when the file is closed.
func lockBackup(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	err = syscall.FcntlFlock(f.Fd(), openFileLock, &syscall.Flock_t{Type: syscall.F_WRLCK, Start: backupByte, Len: 1})
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		err = errors.New("another backup of it is being made: wait for that one")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// copyTo has the snapshot copied to a file of its own, syncs that, and checks it.
func (s *Snapshot) copyTo(ctx context.Context, partial string, copied func(context.Context, string, Progress) error, p Progress) (Report, error) {
	if err := createFile(partial); err != nil {
		return Report{}, err
	}
	ledger, err := s.Ledger(ctx)
	if err == nil {
		err = copied(ctx, partial, p)
	}
	if err == nil {
		err = cmp.Or(s.checkAlone(), s.end(ctx))
	}
	if err == nil {
		err = syncPath(partial)
	}
	if err != nil {
		return Report{}, err
	}
	return checkCopy(ctx, "sqlite:"+partial, ledger)
}

// createFile makes a file that only its owner can read, in place of what a process that
// was killed has left there.
func createFile(path string) error {
	if err := removeFile(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// copyPages copies the database page by page. What others commit meanwhile is not in the
// snapshot and does not make it begin again.
func (s *Snapshot) copyPages(ctx context.Context, to string, p Progress) error {
	// The file is nobody else's, and is synced as a whole at the end.
	q := url.Values{"nolock": {"1"}, "_error_rc": {"1"}, "_pragma": {"journal_mode(OFF)", "synchronous(OFF)"}}
	dsn := (&url.URL{Scheme: "file", Path: absolute(to), RawQuery: q.Encode()}).String()
	var page int64
	if err := s.each(ctx, "PRAGMA page_size", func(row scanner) error { return row.Scan(&page) }); err != nil {
		return err
	}
	return s.conn.Raw(func(conn any) error {
		source, ok := conn.(interface {
			NewBackup(dsn string) (*sqlite.Backup, error)
		})
		if !ok {
			return errors.New("the driver makes no backups")
		}
		b, err := source.NewBackup(dsn)
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if more, err = b.Step(copiedAtOnce); err == nil {
				p(int64(b.PageCount()-b.Remaining())*page, int64(b.PageCount())*page)
				err = ctx.Err()
			}
		}
		finished := b.Finish() // which repeats the error of a step
		return cmp.Or(err, finished)
	})
}

// absolute is a path that can be part of a file: URL.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// checkCopy checks a copy and compares its ledger with that of what was copied.
func checkCopy(ctx context.Context, url string, want alert.Ledger) (r Report, err error) {
	s, err := OpenSnapshot(ctx, url)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r, err = s.Check(ctx)
	if err != nil {
		return r, err
	}
	if !r.OK {
		return r, fmt.Errorf("the copy is damaged, and perhaps so is the store, which tocsin store check tells: %s", strings.Join(r.Problems, "; "))
	}
	have, err := s.Ledger(ctx)
	if err == nil && (have.Total != want.Total || !slices.Equal(have.Lanes, want.Lanes)) {
		err = fmt.Errorf("the copy's ledger has %s, the store's %s", inWords(have.Total), inWords(want.Total))
	}
	return r, err
}

// publish gives a finished file its name, unless there is one of that name.
func publish(partial, file string) error {
	err := os.Link(partial, file)
	switch {
	case errors.Is(err, fs.ErrExist):
		return errExists
	case err == nil:
		err = os.Remove(partial)
	default: // a file system without links
		if err = refuseTarget(file); err == nil {
			err = os.Rename(partial, file)
		}
	}
	if err != nil {
		return err
	}
	return syncPath(filepath.Dir(file))
}

// syncPath has the content of a file or folder on disk.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
