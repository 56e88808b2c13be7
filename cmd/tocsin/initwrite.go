package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// fileChange is a file that gets another content, or is removed if that is nil.
type fileChange struct {
	path    string
	content []byte
	plain   []byte      // the content before it was encrypted
	mode    fs.FileMode // of a new file; 0600 for all that have a token
	gid     int         // its group; -1 for this process's
	most    fs.FileMode // what an existing file's mode may have when a token is in it; 0 for any
}

// undoList is on disk while files are replaced, so that a setup that is killed can be undone.
// It is written before the first file changes, and removed when the new ones are accepted.
type undoList struct {
	path  string
	Files []undoFile `json:"files"`
	// Service is how the service was; nil where there is none.
	Service *serviceState `json:"service,omitempty"`
	// back and left are the files that were put back, and those that somebody else has changed
	// since they were written, which stay.
	back, left []string
}

// serviceState is whether the service runs, and starts with the machine.
type serviceState struct {
	Active  bool `json:"active"`
	Enabled bool `json:"enabled"`
}

// undoFile is a file as it was: Copy is a link to it, empty if there was none. Was and Wrote
// are what fileHash says of it before and of what is written, empty for no file.
type undoFile struct {
	Path  string `json:"path"`
	Copy  string `json:"copy,omitempty"`
	Was   string `json:"was,omitempty"`
	Wrote string `json:"wrote,omitempty"`
}

// fileHash is the SHA-256 of a file's content in hexadecimal; empty if there is no file.
func fileHash(path string) (string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return contentHash(content), err
}

func contentHash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// lock keeps other setups away from the folder of the configuration until unlock. One that
// is not there yet can't be locked.
func (t *target) lock() error {
	dir, err := os.Open(filepath.Dir(t.file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Another error is a file system without locks.
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return errors.Join(fmt.Errorf("another tocsin init is at work in %s: wait until it has ended", dir.Name()), dir.Close())
	}
	t.locked = dir
	return nil
}

func (t *target) unlock() {
	if t.locked != nil {
		// A process that is being started has the descriptor until it runs, and with it the lock.
		_ = syscall.Flock(int(t.locked.Fd()), syscall.LOCK_UN)
		_ = t.locked.Close()
	}
}

// lockNew makes and locks a folder that was not there at the beginning.
func (t *target) lockNew() error {
	if t.locked != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(t.file), t.folderMode()); err != nil {
		return err
	}
	if err := t.lock(); err != nil {
		return err
	}
	if exists(t.file) {
		return fmt.Errorf("another tocsin init has written %s meanwhile: run this again", t.file)
	}
	return nil
}

func (t *target) undoPath() string { return filepath.Join(filepath.Dir(t.file), ".tocsin-init.undo") }

// recover undoes what a setup that was killed has left, and returns what was undone; nil if
// there was nothing.
func (t *target) recover() (u *undoList, err error) {
	u = &undoList{path: t.undoPath()}
	info, err := os.Lstat(u.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// In a folder of others it may say anything.
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Getuid() || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file of this user: remove it", u.path)
	}
	content, err := os.ReadFile(u.path)
	if err == nil {
		err = json.Unmarshal(content, u)
	}
	if err != nil {
		return nil, err
	}
	return u, u.undo()
}

// replace writes the files, all or none. The list undoes it until it is closed.
func (t *target) replace(changes []fileChange) (*undoList, error) {
	u := &undoList{path: t.undoPath(), Service: t.was}
	changes = followed(changes)
	fresh := make([]string, len(changes))
	defer func() { // what is left of a failure
		for _, path := range fresh {
			if path != "" {
				_ = os.Remove(path)
			}
		}
	}()
	for n, c := range changes {
		if err := os.MkdirAll(filepath.Dir(c.path), t.folderMode()); err != nil {
			return nil, err
		}
		if c.content != nil {
			var err error
			if fresh[n], err = c.writeBeside(); err != nil {
				return nil, err
			}
		}
	}
	if err := u.keep(changes); err != nil {
		return nil, errors.Join(err, u.undo())
	}
	for n, c := range changes {
		var err error
		if c.content == nil {
			err = removed(c.path)
		} else {
			err = os.Rename(fresh[n], c.path)
		}
		if err != nil {
			return nil, errors.Join(err, u.undo())
		}
	}
	return u, u.sync()
}

// followed are the changes with the files to which symbolic links lead, which stay.
func followed(changes []fileChange) []fileChange {
	changes = slices.Clone(changes)
	for n, c := range changes {
		if path, err := filepath.EvalSymlinks(c.path); err == nil && c.content != nil {
			changes[n].path = path
		}
	}
	return changes
}

func (t *target) folderMode() fs.FileMode {
	if t.service {
		return 0o755
	}
	return 0o700
}

// writeBeside writes the content to a new file beside its place, with the owner and mode of
// the one that it replaces.
func (c fileChange) writeBeside() (path string, err error) {
	path = hiddenSibling(c.path, ".tocsin-init-new")
	if err := removed(path); err != nil { // of one that was killed
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	mode, gid, uid := c.mode, c.gid, -1
	if info, err := os.Stat(c.path); err == nil {
		mode = info.Mode().Perm()
		if c.most != 0 && mode&^c.most != 0 {
			mode = c.mode
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(stat.Uid), int(stat.Gid)
		}
	}
	_, err = f.Write(c.content)
	if err == nil && (uid >= 0 || gid >= 0) {
		err = f.Chown(uid, gid)
	}
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return path, nil
}

// hiddenSibling is a hidden file in the folder of another one.
func hiddenSibling(path, ending string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+ending)
}

// keep links what is there now, and writes the list.
func (u *undoList) keep(changes []fileChange) error {
	for _, c := range changes {
		file := undoFile{Path: c.path}
		var err error
		if file.Was, err = fileHash(c.path); err != nil {
			return err
		}
		if c.content != nil {
			file.Wrote = contentHash(c.content)
		}
		if exists(c.path) {
			file.Copy = hiddenSibling(c.path, ".tocsin-init-before")
			if err := errors.Join(removed(file.Copy), os.Link(c.path, file.Copy)); err != nil {
				return err
			}
		}
		u.Files = append(u.Files, file)
	}
	content, err := json.Marshal(u)
	if err != nil {
		return err
	}
	path, err := fileChange{path: u.path, content: content, mode: 0o600, gid: -1}.writeBeside()
	if err == nil {
		err = os.Rename(path, u.path)
	}
	return errors.Join(err, u.sync())
}

// undo puts everything back that is as it was written. It can be repeated.
func (u *undoList) undo() error {
	var all error
	for _, file := range u.Files {
		now, err := fileHash(file.Path)
		all = errors.Join(all, err)
		switch {
		case err != nil:
			continue
		case now != file.Wrote && now != file.Was:
			u.left = append(u.left, file.Path)
		case now != file.Was:
			u.back = append(u.back, file.Path)
		}
		switch {
		case slices.Contains(u.left, file.Path):
		case file.Copy == "":
			all = errors.Join(all, removed(file.Path))
		case exists(file.Copy):
			all = errors.Join(all, os.Rename(file.Copy, file.Path))
		}
		// A rename onto another name of the same file does nothing.
		if file.Copy != "" {
			all = errors.Join(all, removed(file.Copy))
		}
	}
	if all != nil {
		return fmt.Errorf("put back what was there before: %w", all)
	}
	return errors.Join(u.sync(), removed(u.path))
}

// except says which files undo has not put back; empty for none.
func (u *undoList) except() string {
	if len(u.left) == 0 {
		return ""
	}
	return ", except what was changed since it was written and stays: " + strings.Join(u.left, ", ")
}

// done forgets what was there before.
func (u *undoList) done() error {
	err := removed(u.path)
	for _, file := range u.Files {
		if file.Copy != "" {
			err = errors.Join(err, removed(file.Copy))
		}
	}
	return err
}

// sync has the folders written to disk.
func (u *undoList) sync() (all error) {
	for _, file := range u.Files {
		dir, err := os.Open(filepath.Dir(file.Path))
		if err == nil {
			err = errors.Join(dir.Sync(), dir.Close())
		}
		all = errors.Join(all, err)
	}
	return all
}

// removed removes a file that need not be there.
func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
