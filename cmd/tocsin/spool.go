package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tocsin/alert"
)

// The bounds of a spool.
const (
	spoolFiles   = 10_000
	spoolBytes   = 64 << 20
	spoolLargest = 4 << 20 // bytes of one file: a request of 1 MiB, with JSON's escapes
	spoolRefused = 1_000   // files that are set aside; older ones are removed
)

// refusedFolder is where files go that can't be sent, each with a file that says why.
const (
	refusedFolder = "refused"
	whySuffix     = ".why"
	longestWhy    = 1 << 10 // bytes
)

// spool is a folder in which requests wait that no daemon has accepted, each in a file of
// its own. The daemon of the same user sends them, or the next client of this user that
// reaches a daemon. Whoever sends one removes it afterwards: if it is sent twice, its
// idempotency key has it counted once.
type spool struct{ dir string }

// spooled is the content of a file.
type spooled struct {
	Written time.Time `json:"written"`
	// To are the addresses at which the client looked for a daemon.
	To []string `json:"to"`
	// Path and query of the request, which is a POST.
	Path string `json:"path"`
	// Traceparent and Tracestate are the headers in which trace the request was made; empty for
	// none.
	Traceparent string `json:"traceparent,omitempty"`
	Tracestate  string `json:"tracestate,omitempty"`
	// Reached has the daemon refuse an alert that would reach no conversation.
	Reached bool            `json:"reached,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// largestRequest is the longest body that a daemon accepts.
const largestRequest = 1 << 20

// about says which requests a new one makes needless: the newest before it about the same
// thing, if both are Latest. Of successes in a row, for example, the last one says it all.
type about struct {
	Thing  string // empty for nothing that another request is about
	Latest bool
}

// spoolName is the name of a file: when it was written, in nanoseconds since 1970; what it
// is about; whether only the latest matters; and a random part.
var spoolName = regexp.MustCompile(`^(\d{19})-([0-9a-f]{16}-(alert|latest))-[0-9a-f]{8}\.json$`)

// unfinished begins the name of a file that is being written.
const unfinished = ".new-"

var (
	errSpoolFull = fmt.Errorf("the spool is full (%d files or %d MiB)", spoolFiles, spoolBytes>>20)
	errUnusable  = errors.New("can't be used")
)

// open opens the folder; with create it makes what is missing. Without, the error is
// fs.ErrNotExist if there is none. Only its owner and root may have access.
func (s spool) open(create bool) (*os.Root, error) {
	parent, name := filepath.Split(filepath.Clean(s.dir))
	if create {
		if err := os.MkdirAll(parent, 0o700); err != nil {
			return nil, err
		}
	}
	// Parent and folder may belong to another user than root, whose links are not followed.
	above, err := os.OpenRoot(parent)
	if err != nil {
		return nil, err
	}
	defer func() { _ = above.Close() }() // nothing was written
	if create {
		if err := makeFolder(above, name); err != nil {
			return nil, err
		}
	}
	dir, err := above.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	info, err := dir.Stat(".")
	if err == nil && (info.Mode().Perm()&0o077 != 0 || !trusted(info)) {
		err = fmt.Errorf("%s: %w: it must belong to this user, and nobody else may have access (mode 0700)", s.dir, errUnusable)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// makeFolder makes a private folder that belongs to the owner of the one above, so that
// the daemon can use what root has written.
func makeFolder(above *os.Root, name string) error {
	err := above.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := above.Stat(".")
	if err == nil && os.Geteuid() == 0 {
		err = giveFolder(above, name, ownerOf(info))
	}
	return errors.Join(err, syncFolder(above))
}

// giveFolder gives the folder with a name to a user. It is opened first, because the user
// who owns the one above may have put something else in its place.
func giveFolder(above *os.Root, name string, user int) error {
	dir, err := above.OpenRoot(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Chown(".", user, -1), dir.Close())
}

func ownerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// trusted reports whether a file belongs to this user or to root; root trusts all users
// with what is theirs.
func trusted(info fs.FileInfo) bool {
	self, uid := os.Geteuid(), ownerOf(info)
	return uid == self || uid == 0 || self == 0
}

func syncFolder(dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// write adds a request and returns its file's path, once it is on disk. The error is
// errSpoolFull if there is no room.
func (s spool) write(e spooled, about about) (file string, err error) {
	if len(e.Body) > largestRequest {
		return "", fmt.Errorf("it is longer than %d MiB, which no daemon accepts", largestRequest>>20)
	}
	content, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	if len(content) > spoolLargest {
		return "", fmt.Errorf("it is longer than %d MiB", spoolLargest>>20)
	}
	dir, err := s.open(true)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	names, err := room(dir, len(content))
	if err != nil {
		return "", err
	}
	name, needless := nameAfter(names, e.Written, about)
	if err := writeFile(dir, name, content); err != nil {
		return "", err
	}
	if needless != "" {
		_ = dir.Remove(needless) // it does no harm if it stays
	}
	return filepath.Join(s.dir, name), nil
}

// room returns the names of the files that wait, in order, if there is room for another.
func room(dir *os.Root, size int) ([]string, error) {
	entries, err := entries(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	used := int64(size)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil { // it may have been sent
			used += info.Size()
		}
		if spoolName.MatchString(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	if len(names) >= spoolFiles || used > spoolBytes {
		return nil, errSpoolFull
	}
	return names, nil
}

// entries are those of the folder in the order of their names, without the one for files
// that were set aside.
func entries(dir *os.Root) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(dir.FS(), ".")
	return slices.DeleteFunc(all, func(e fs.DirEntry) bool { return e.Name() == refusedFolder && e.IsDir() }), err
}

// nameAfter returns the name of a new file, which comes after all others, and that of the
// file that it makes needless; empty for none.
func nameAfter(names []string, written time.Time, about about) (name, needless string) {
	at, topic := written.UnixNano(), topicOf(about)
	if len(names) > 0 {
		if last, err := strconv.ParseInt(names[len(names)-1][:19], 10, 64); err == nil {
			at = max(at, last+1) // the clock may have been put back
		}
	}
	for _, old := range slices.Backward(names) {
		parts := spoolName.FindStringSubmatch(old)
		if parts[2][:16] != topic[:16] {
			continue
		}
		if about.Latest && parts[2] == topic {
			needless = old
		}
		break
	}
	return fmt.Sprintf("%019d-%s-%s.json", at, topic, randomHex(4)), needless
}

// topicOf is the part of a name that says what a request is about.
func topicOf(about about) string {
	sum := sha256.Sum256([]byte(about.Thing))
	hash, kind := hex.EncodeToString(sum[:8]), "alert"
	if about.Thing == "" {
		hash = randomHex(8)
	}
	if about.Latest {
		kind = "latest"
	}
	return hash + "-" + kind
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// writeFile puts a complete file on disk, or none.
func writeFile(dir *os.Root, name string, content []byte) error {
	begun := unfinished + name
	f, err := dir.OpenFile(begun, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if os.Geteuid() == 0 { // its reader is who owns the folder
		info, e := dir.Stat(".")
		if err = errors.Join(err, e); e == nil {
			err = errors.Join(err, f.Chown(ownerOf(info), -1))
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = dir.Rename(begun, name)
	}
	if err != nil {
		return errors.Join(err, gone(dir.Remove(begun)))
	}
	return syncFolder(dir)
}

// gone is err, unless it says that a file is not there any more.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readSpooled reads a file. The error wraps errUnusable if it will never be usable, and
// fs.ErrNotExist if somebody else has sent it.
func readSpooled(dir *os.Root, name string) (e spooled, err error) {
	unusable := func(why string) (spooled, error) { return e, fmt.Errorf("%w: %s", errUnusable, why) }
	info, err := dir.Lstat(name)
	switch {
	case err != nil:
		return e, err
	case !spoolName.MatchString(name):
		return unusable("it is not a file of the spool")
	case !info.Mode().IsRegular():
		return unusable("it is not a regular file")
	case !trusted(info):
		return unusable("it belongs to another user")
	case info.Size() > spoolLargest:
		return unusable(fmt.Sprintf("it is longer than %d MiB", spoolLargest>>20))
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		return unusable("this user may not read it")
	}
	if err != nil {
		return e, err
	}
	defer func() { _ = f.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(f, spoolLargest))
	if err != nil {
		return e, err
	}
	return decodeSpooled(content)
}

// decodeSpooled reads the content of a file. The error wraps errUnusable.
func decodeSpooled(content []byte) (e spooled, err error) {
	if err := json.Unmarshal(content, &e); err != nil {
		return e, fmt.Errorf("%w: broken JSON: %w", errUnusable, err)
	}
	u, err := url.Parse(e.Path)
	if err != nil || u.Host != "" || u.Path != alertsPath && path.Dir(u.Path) != heartbeatsPath {
		return e, fmt.Errorf("%w: %q is not a path of alerts or heartbeats", errUnusable, e.Path)
	}
	return e, nil
}

// The paths to which a spool's requests go.
const (
	alertsPath     = "/v1/alerts"
	heartbeatsPath = "/v1/heartbeats"
)

// isFor reports whether a request was meant for a daemon with one of these addresses.
func (e spooled) isFor(addresses []string) bool {
	return slices.ContainsFunc(e.To, func(to string) bool { return slices.Contains(addresses, to) })
}

// send sends the request. It says how long it has waited, so that it counts by its time of
// writing.
func (c *client) send(ctx context.Context, e spooled, into any) error {
	header := traceHeader(e.Traceparent, e.Tracestate)
	if waited := time.Since(e.Written).Round(time.Second); waited > 0 {
		header.Set("X-Tocsin-Waited", waited.String())
	}
	if e.Reached {
		header.Set("X-Tocsin-Reached", "1")
	}
	return c.do(ctx, request{method: http.MethodPost, path: e.Path, header: header, body: e.Body}, into)
}

// traceHeader says in which trace a request is made, if it is in one.
func traceHeader(traceparent, tracestate string) http.Header {
	header := http.Header{}
	if trace := alert.ParseTraceparent(traceparent); trace != "" {
		header.Set("Traceparent", string(trace))
		if state := alert.ParseTracestate([]string{tracestate}); state != "" {
			header.Set("Tracestate", string(state))
		}
	}
	return header
}

// deliver sends what waits for the daemon, in order, and returns how many requests it has
// sent. It ends at the first that the daemon can't accept now; the error says why. A file
// that never will be accepted is set aside, and said.
func (s spool) deliver(ctx context.Context, daemon *client, say func(name string, why error)) (sent int, err error) {
	dir, err := s.open(false)
	if err != nil {
		return 0, gone(err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	all, err := entries(dir)
	for _, entry := range all {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			tidy(dir, entry)
			continue
		}
		e, err := readSpooled(dir, name)
		if err == nil {
			if !e.isFor(daemon.addresses) {
				continue
			}
			var answer json.RawMessage
			err = daemon.send(ctx, e, &answer)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // somebody else has sent it
		case err == nil:
			sent++
			if err := gone(dir.Remove(name)); err != nil {
				return sent, err
			}
		case errors.Is(err, errUnusable) || isRefused(err):
			say(filepath.Join(s.dir, name), cmp.Or(setAside(dir, name, err), err))
		default:
			return sent, err
		}
	}
	return sent, err
}

// isRefused reports whether a daemon will never accept a request. It may, once it is asked
// by somebody with access, or after a pause.
func isRefused(err error) bool {
	refusal, refused := errors.AsType[*answerError](err)
	return refused && !refusal.foreign && !slices.Contains([]int{
		http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusRequestTimeout,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}, refusal.status)
}

// tidy removes a file that was begun long ago and not finished: its writer was killed.
func tidy(dir *os.Root, entry fs.DirEntry) {
	info, err := entry.Info()
	if err == nil && strings.HasPrefix(entry.Name(), unfinished) && time.Since(info.ModTime()) > time.Hour {
		_ = dir.Remove(entry.Name()) // it is tried again the next time
	}
}

// setAside moves a file to those that can't be sent, of which the oldest are removed.
func setAside(dir *os.Root, name string, why error) error {
	if err := makeFolder(dir, refusedFolder); err != nil {
		return err
	}
	if err := gone(dir.Rename(name, path.Join(refusedFolder, name))); err != nil {
		return err
	}
	folder, err := dir.OpenRoot(refusedFolder)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	text := strings.TrimPrefix(flat(why.Error()), errUnusable.Error()+": ")
	_ = writeFile(folder, name+whySuffix, []byte(text[:min(len(text), longestWhy)])) // it has been said
	kept, err := refusedFiles(folder)
	for _, old := range kept[:max(len(kept)-spoolRefused, 0)] {
		err = errors.Join(err, folder.RemoveAll(old), folder.RemoveAll(old+whySuffix))
	}
	return err
}

// refusedFiles are the names of the files in the folder of those that were set aside, the
// latest last, without those that say why.
func refusedFiles(folder *os.Root) (names []string, err error) {
	all, err := fs.ReadDir(folder.FS(), ".")
	for _, entry := range all {
		if name := entry.Name(); !strings.HasSuffix(name, whySuffix) && !strings.HasPrefix(name, unfinished) {
			names = append(names, name)
		}
	}
	return names, err
}

// spoolState is what is in a spool.
type spoolState struct {
	Dir     string    `json:"dir,omitempty"`
	Waiting int       `json:"waiting"`
	Oldest  time.Time `json:"oldest,omitzero"`
	Refused int       `json:"refused,omitempty"`
	// Why says why the latest of those that were refused was; empty if that is unknown.
	Why string `json:"why,omitempty"`
}

// readRefused counts the files that were set aside.
func (s *spoolState) readRefused(dir *os.Root) {
	folder, err := dir.OpenRoot(refusedFolder)
	if err != nil {
		return // there are none
	}
	defer func() { _ = folder.Close() }() // it was only read
	names, _ := refusedFiles(folder)
	if s.Refused = len(names); s.Refused == 0 {
		return
	}
	f, err := folder.OpenFile(names[s.Refused-1]+whySuffix, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }() // it was only read
	why, _ := io.ReadAll(io.LimitReader(f, longestWhy))
	s.Why = flat(string(why))
}

// refusedIn is the folder of the files that were set aside.
func (s spoolState) refusedIn() string { return filepath.Join(s.Dir, refusedFolder) }

// because says why the latest file was set aside, at the end of a sentence.
func (s spoolState) because() string {
	switch {
	case s.Why == "":
		return ""
	case s.Refused == 1:
		return ": " + s.Why
	}
	return ", the latest because of this: " + s.Why
}

// state looks what waits in the spool for a daemon with one of these addresses, and what
// was set aside; nothing if it can't be read.
func (s spool) state(addresses []string) (state spoolState) {
	state.Dir = s.dir
	dir, err := s.open(false)
	if err != nil {
		return state
	}
	defer func() { _ = dir.Close() }() // it was only read
	all, _ := entries(dir)
	for _, entry := range all {
		e, err := readSpooled(dir, entry.Name())
		if err != nil || !e.isFor(addresses) {
			continue
		}
		if state.Waiting == 0 {
			state.Oldest = e.Written
		}
		state.Waiting++
	}
	state.readRefused(dir)
	return state
}
