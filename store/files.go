package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"tocsin/alert"
)

// ErrReplaced is why nothing is written while a path of the store does not lead
// to the file that was opened.
var ErrReplaced = errors.New("was removed, moved or replaced while it was open: put it back if it was moved, else restart Tocsin to use what is there now")

const (
	// openFileLock is Linux's F_OFD_SETLK. Such a lock belongs to the open file.
	// One that belongs to the process would be lost when SQLite closes the file.
	openFileLock = 37
	// lockByte is the first one after those that SQLite locks,
	// https://www.sqlite.org/src/file/src/os.h.
	lockByte = 0x40000000 + 512
)

// files are the files of a SQLite store, locked against a second daemon. They stay
// open, so that no other file can get one of their inodes.
type files struct {
	// path is the database's, without symbolic links.
	path           string
	lock, database *os.File
	known          []knownFile
	// wal is nil until the first connection has read.
	wal atomic.Pointer[knownFile]
}

// knownFile is the file to which a path led when it was opened.
type knownFile struct {
	path string
	info fs.FileInfo
}

// check returns an error if the path leads to another file now, or to none.
func (k *knownFile) check() error {
	info, err := os.Stat(k.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", alert.ErrUnavailable, err)
	}
	if err != nil || !os.SameFile(info, k.info) {
		return fmt.Errorf("%w: %s %w", alert.ErrUnavailable, k.path, ErrReplaced)
	}
	return nil
}

// claimFiles makes the folder and the database, if path leads to none, and locks them.
func claimFiles(path string) (*files, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, folderRemedy(err)
	}
	f := &files{path: path}
	if err := f.claim(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// claim locks the database twice: by its name, which tells people which process
// has it, and the file itself, which may have other names.
func (f *files) claim() (err error) {
	if f.database, err = f.open(f.path); err != nil {
		return err
	}
	if f.path, err = filepath.EvalSymlinks(f.path); err != nil {
		return folderRemedy(err)
	}
	if f.lock, err = f.open(f.path + ".lock"); err != nil {
		return err
	}
	if err := syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f.lock, 20))
		return lockRemedy(fmt.Sprintf("process %s", bytes.TrimSpace(holder)), err)
	}
	if err := lockFile(f.database); err != nil {
		return lockRemedy("under another name, or its .lock file was removed", err)
	}
	// The number is for people; the lock is what counts.
	if err := errors.Join(f.lock.Truncate(0), writePID(f.lock)); err != nil {
		return folderRemedy(err)
	}
	return nil
}

// open opens or makes a file and remembers which one it is.
func (f *files) open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, folderRemedy(err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f.known = append(f.known, knownFile{path, info})
	return file, nil
}

// lockFile locks a file under all its names.
func lockFile(file *os.File) error {
	return syscall.FcntlFlock(file.Fd(), openFileLock, &syscall.Flock_t{Type: syscall.F_WRLCK, Start: lockByte, Len: 1})
}

func writePID(lock *os.File) error {
	_, err := fmt.Fprintln(lock, os.Getpid())
	return err
}

func lockRemedy(holder string, err error) error {
	if !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("lock it: %w", err)
	}
	return fmt.Errorf("another tocsin uses it (%s): stop that one, or give this one a store of its own with TOCSIN_STORE", holder)
}

func folderRemedy(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: make room on its disk", err)
	}
	return fmt.Errorf("%w: give this user the right to write there, or set TOCSIN_STORE to another path", err)
}

// rememberWAL is called when the first connection has read, which makes the WAL. It is
// never removed (see keepWAL).
func (f *files) rememberWAL() error {
	if f == nil || f.wal.Load() != nil {
		return nil
	}
	path := f.path + "-wal"
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f.wal.Store(&knownFile{path, info})
	return nil
}

// check returns ErrReplaced if what is written now would not be found by the next
// daemon that opens the store.
func (f *files) check() error {
	if f == nil { // PostgreSQL
		return nil
	}
	for n := range f.known {
		if err := f.known[n].check(); err != nil {
			return err
		}
	}
	if wal := f.wal.Load(); wal != nil {
		return wal.check()
	}
	return nil
}

func (f *files) close() error {
	var err error
	for _, file := range []*os.File{f.lock, f.database} {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}
