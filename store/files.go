package store

import (
	"bytes"
	"encoding/binary"
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
// to the file that was opened, or the file has lost its content.
var ErrReplaced = errors.New("was removed, moved, replaced or truncated while it was open: put it back if it was moved, else restart Tocsin to use what is there now")

// lockByte is the first one after those that SQLite locks,
// https://www.sqlite.org/src/file/src/os.h.
const lockByte = 0x40000000 + 512

// files are the files of a SQLite store, locked against a second daemon. They stay
// open, so that no other file can get one of their inodes.
type files struct {
	// path is the database's, without symbolic links.
	path           string
	lock, database *os.File
	// known are the database and the lock.
	known []knownFile
	// journal is nil until the first connection has read.
	journal atomic.Pointer[journal]
	// owner is who owns the database, or its folder if there was none.
	owner *syscall.Stat_t
}

// journal is the WAL and SQLite's index of it (-shm). The index stays open: SQLite's locks
// on it belong to the process and would end when any of its handles is closed.
type journal struct {
	wal   knownFile
	index *os.File
}

// size is how long the WAL has to be at least,
// https://www.sqlite.org/walformat.html#the_wal_index_header.
func (j *journal) size() int64 {
	const walHeader, frameHeader = 32, 24
	header := make([]byte, 20)
	if _, err := j.index.ReadAt(header, 0); err != nil {
		return 0 // it is being made
	}
	page, frames := int64(binary.NativeEndian.Uint16(header[14:])), int64(binary.NativeEndian.Uint32(header[16:]))
	if frames == 0 {
		return 0
	}
	return walHeader + frames*(frameHeader+page)
}

// knownFile is the file to which a path led when it was opened.
type knownFile struct {
	path string
	info fs.FileInfo
}

// check returns an error if the path leads to another file now, or to none. size is the
// file's.
func (k *knownFile) check() (size int64, err error) {
	info, err := os.Stat(k.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: %w", alert.ErrUnavailable, err)
	}
	if err != nil || !os.SameFile(info, k.info) {
		return 0, k.replaced()
	}
	return info.Size(), nil
}

func (k *knownFile) replaced() error {
	return fmt.Errorf("%w: %s %w", alert.ErrUnavailable, k.path, ErrReplaced)
}

// claimFiles makes the folder and the database, if path leads to none, and locks them.
func claimFiles(path string) (*files, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, folderRemedy(err)
	}
	info, err := os.Stat(path)
	fresh := err != nil || info.Size() == 0
	f := &files{path: path}
	if err := f.claim(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	like := f.path
	if fresh {
		like = filepath.Dir(like)
	}
	if info, err := os.Stat(like); err == nil {
		f.owner, _ = info.Sys().(*syscall.Stat_t)
	}
	return f, nil
}

// own gives what root has made to the store's owner, who could not use it otherwise: the files
// whose names are the database's with these endings.
func (f *files) own(endings ...string) error {
	if f == nil || os.Geteuid() != 0 || f.owner == nil {
		return nil
	}
	for _, ending := range endings {
		if err := os.Lchown(f.path+ending, int(f.owner.Uid), int(f.owner.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// claim locks the database twice: by its name, which tells people which process
// has it, and the file itself, which may have other names.
func (f *files) claim() (err error) {
	if f.database, err = f.open(f.path); err != nil {
		return err
	}
	if info, err := f.database.Stat(); err == nil && !info.Mode().IsRegular() { // a pipe would be waited for
		return fmt.Errorf("%w: set TOCSIN_STORE to another path", errNotAFile)
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
	return &inUseError{holder}
}

// inUseError is errInUse with who holds the lock.
type inUseError struct{ holder string }

var errInUse = errors.New("another tocsin uses it")

func (e *inUseError) Error() string {
	return fmt.Sprintf("%s (%s): stop that one, or give this one a store of its own with TOCSIN_STORE", errInUse, e.holder)
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
	if f == nil || f.journal.Load() != nil {
		return nil
	}
	path := f.path + "-wal"
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	index, err := os.Open(f.path + "-shm")
	if err != nil {
		return err
	}
	f.journal.Store(&journal{knownFile{path, info}, index})
	return nil
}

// check returns ErrReplaced if a path leads to another file than the one that was opened.
func (f *files) check() error {
	if f == nil { // PostgreSQL
		return nil
	}
	for n := range f.known {
		if _, err := f.known[n].check(); err != nil {
			return err
		}
	}
	if j := f.journal.Load(); j != nil {
		_, err := j.wal.check()
		return err
	}
	return nil
}

// checkAll returns ErrReplaced if what is written now would not be found by the next
// daemon that opens the store: also when a file was truncated in its place, after which
// SQLite goes on in the emptied file. Only the writer may call it, between transactions.
func (f *files) checkAll() error {
	if err := f.check(); err != nil || f == nil {
		return err
	}
	j := f.journal.Load()
	if j == nil {
		return nil
	}
	database := &f.known[0] // before the WAL, which SQLite ends when the database is empty
	size, err := database.check()
	if err != nil {
		return err
	}
	if size == 0 {
		return database.replaced()
	}
	// A checkpoint of another program writes the index before it truncates the WAL.
	size, err = j.wal.check()
	if err == nil && size < j.size() {
		return j.wal.replaced()
	}
	return err
}

func (f *files) close() error {
	var err error
	files := []*os.File{f.lock, f.database}
	if j := f.journal.Load(); j != nil {
		files = append(files, j.index)
	}
	for _, file := range files {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}
