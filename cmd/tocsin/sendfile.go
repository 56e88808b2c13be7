package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tocsin/alert"
)

// The bounds of one request of send --file. A daemon takes up to 1 MiB and 10,000 alerts.
const (
	batchLines = 500
	batchBytes = 512 << 10
	lineBytes  = 1 << 20
	// saidLines is how many lines with refusals or notes are named one by one.
	saidLines = 20
)

// exitInterrupted is what shells have for a command that Ctrl-C has ended.
const exitInterrupted = exitSignal + 2

// fileSender sends the alerts of a file, in order.
type fileSender struct {
	*sendCmd
	daemon *client
	path   string
	name   string // what the idempotency keys begin with
	bar    progress

	// once is set for what comes from a pipe, which can't be sent again: what no daemon accepts
	// goes to the spool. away is why, once that is so.
	once bool
	away error

	result fileResult
	said   int // lines that were named
}

// fileResult is what became of a file's lines.
type fileResult struct {
	Lines      int           `json:"lines"` // without blank ones
	Accepted   int           `json:"accepted"`
	Duplicates int           `json:"duplicates"` // accepted before
	Ignored    int           `json:"ignored"`    // only_if_open, and nothing was open
	Spooled    int           `json:"spooled"`    // no daemon accepts them yet
	Refused    []refusedLine `json:"refused"`
}

type refusedLine struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

// numbered is an alert and its line, counted from 1.
type numbered struct {
	line  int
	alert []byte
}

// fileArguments checks that nothing describes an alert beside a file.
func fileArguments(cmd *cobra.Command, args []string) (err error) {
	if len(args) > 0 {
		return &usageError{errors.New("--file has the texts of its alerts: leave out TEXT")}
	}
	with := []string{"file", "strict", "timeout", "json", "server", "token", "socket", "config", "no-spool"}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains(with, f.Name) && err == nil {
			err = &usageError{fmt.Errorf("--file can't be combined with --%s: each line of the file is a whole alert", f.Name)}
		}
	})
	return err
}

// sendFile sends the alerts of a file; - is standard input.
func (c *sendCmd) sendFile(ctx context.Context) error {
	file, once, err := c.openFile()
	if err != nil {
		return &usageError{fmt.Errorf("read --file: %w", err)}
	}
	defer func() { _ = file.Close() }() // it was only read
	hash, size, err := digest(file)
	if err != nil {
		return fmt.Errorf("read --file: %w", err)
	}
	daemon, err := c.connect()
	if err != nil {
		return err
	}
	f := fileSender{sendCmd: c, daemon: daemon, path: c.file, name: hash, bar: newProgress(c.world, size), result: fileResult{Refused: []refusedLine{}}}
	if f.once = once && !c.noSpool; f.once && !c.timed {
		f.timeout = sendFor
	}
	return f.finish(ctx, f.sendAll(ctx, file))
}

// openFile opens the file. What comes from a pipe, and is there only once, is copied, because
// it is read twice.
func (c *sendCmd) openFile() (file *os.File, once bool, err error) {
	stream := c.stdin
	if c.file != "-" {
		file, err := os.Open(c.file)
		if err != nil {
			return nil, false, err
		}
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return file, false, nil
		}
		defer func() { _ = file.Close() }() // it was only read
		stream = file
	}
	file, err = copied(stream)
	return file, true, err
}

// copied copies a stream to a file without a name.
func copied(r io.Reader) (*os.File, error) {
	file, err := os.CreateTemp("", "tocsin-send-")
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(file, r)
	if err = errors.Join(err, os.Remove(file.Name())); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// digest returns a hash of a file's content and its size, and goes to its beginning.
func digest(file *os.File) (hash string, size int64, err error) {
	h := sha256.New()
	if _, err = file.Seek(0, io.SeekStart); err != nil {
		return "", 0, err
	}
	if size, err = io.Copy(h, file); err != nil {
		return "", 0, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return hex.EncodeToString(h.Sum(nil)[:16]), size, err
}

// sendAll sends all lines, in batches.
func (f *fileSender) sendAll(ctx context.Context, file io.Reader) error {
	var batch []numbered
	size := 0
	lines := bufio.NewReaderSize(file, 64<<10)
	for n := 1; ; n++ {
		line, read, err := readLine(lines)
		if text := bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\ufeff"))); len(text) > 0 {
			f.result.Lines++
			if one, flaw := f.readAlert(text, n); flaw != "" {
				f.refuse(n, flaw)
			} else {
				batch = append(batch, numbered{n, one})
				size += len(one) + 1
			}
		}
		f.bar.read += int64(read)
		if len(batch) == batchLines || size > batchBytes || err != nil && len(batch) > 0 {
			if err := f.send(ctx, batch); err != nil {
				return err
			}
			f.bar.show(f.result)
			batch, size = nil, 0
		}
		if err != nil {
			return ignoreEOF(err)
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("read --file: %w", err)
}

// readLine returns a line, of which only the beginning is kept if it is too long for an
// alert, and how many bytes it has in the file.
func readLine(r *bufio.Reader) (line []byte, read int, err error) {
	for {
		part, err := r.ReadSlice('\n')
		read += len(part)
		line = append(line, part[:min(len(part), max(lineBytes+1-len(line), 0))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, read, err
		}
	}
}

// readAlert gives an alert its idempotency key, if it has none, or says why the line is no
// alert.
func (f *fileSender) readAlert(line []byte, n int) (one []byte, flaw string) {
	if len(line) >= lineBytes {
		return nil, fmt.Sprintf("it is longer than %d bytes", lineBytes)
	}
	var fields map[string]json.RawMessage
	switch err := json.Unmarshal(line, &fields); {
	case line[0] == '[':
		return nil, "it is an array, and each line must be one object (jq -c '.[]' makes lines of an array)"
	case err != nil:
		return nil, "broken JSON: " + err.Error()
	case fields == nil:
		return nil, "it is not an object"
	}
	for name := range fields {
		if strings.EqualFold(name, "idempotency_key") {
			return line, ""
		}
	}
	key := fmt.Appendf(nil, `{"idempotency_key":"%s/%d"`, f.name, n)
	if len(fields) > 0 {
		key = append(key, ',')
	}
	return append(key, bytes.TrimSpace(line)[1:]...), ""
}

// send sends a batch. Where it is refused, its halves are sent, down to the lines that are
// wrong.
func (f *fileSender) send(ctx context.Context, batch []numbered) error {
	if f.away != nil {
		return f.keepAll(ctx, batch)
	}
	answer, err := f.post(ctx, batch)
	switch {
	case err == nil:
		f.count(batch, answer)
		return nil
	case f.once && !isFinal(err) && ctx.Err() == nil:
		f.away = err
		f.bar.clear()
		f.say(fmt.Sprintf("%s; the alerts go to the spool", shortly(err)))
		return f.keepAll(ctx, batch)
	case !isRefused(err):
		return err
	}
	if len(batch) == 1 {
		f.refuse(batch[0].line, onlyOne.Replace(err.Error()))
		return nil
	}
	half := len(batch) / 2
	if err := f.send(ctx, batch[:half]); err != nil {
		return err
	}
	return f.send(ctx, batch[half:])
}

// keepAll writes the alerts of a batch to the spool, each to a file.
func (f *fileSender) keepAll(ctx context.Context, batch []numbered) error {
	for _, one := range batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		var named struct{ Key string }
		_ = json.Unmarshal(one.alert, &named) // one of another type is refused when it is sent
		p := parcel{what: fmt.Sprintf("what begins with line %d", one.line), quiet: true, about: about{Thing: aboutAt(named.Key, f.daemon)},
			spooled: spooled{Written: time.Now(), To: f.daemon.addresses, Path: f.target(), Traceparent: f.getenv("TRACEPARENT"), Body: one.alert}}
		if _, err := f.keep(f.daemon.spools, p, f.away); err != nil {
			return err
		}
		f.result.Spooled++
	}
	return nil
}

// onlyOne removes where in a request an alert is: it is the only one.
var onlyOne = strings.NewReplacer("alert 1, line 1: ", "", "alert 1: ", "")

// post sends a batch until a daemon answers. It gives up after the timeout, but waits as
// long as a daemon asks for a pause: it is there.
func (f *fileSender) post(ctx context.Context, batch []numbered) (answer receipt, err error) {
	r := f.request(batch)
	for began, said := time.Now(), ""; ; {
		err = f.try(ctx, r, &answer)
		if err == nil && len(answer.Alerts) != len(batch) {
			err = fmt.Errorf("the daemon answered for %d of %d alerts", len(answer.Alerts), len(batch))
		}
		if err == nil || isFinal(err) {
			return answer, err
		}
		paused, wait := pauseOf(err)
		if paused {
			began = time.Now()
		}
		if time.Since(began) > f.timeout {
			return answer, err
		}
		if reason := err.Error(); reason != said && ctx.Err() == nil {
			said = reason
			f.bar.clear()
			f.say(reason + "\ntocsin: trying again")
		}
		if !pause(ctx, wait) {
			return answer, ctx.Err()
		}
	}
}

// pauseOf is how long to wait after an error, and whether a daemon that works asks for it.
func pauseOf(err error) (paused bool, wait time.Duration) {
	refusal, answered := errors.AsType[*answerError](err)
	if !answered {
		return false, time.Second
	}
	return refusal.status == http.StatusTooManyRequests, cmp.Or(refusal.retryAfter, time.Second)
}

// request has the alerts of a batch, one a line.
func (f *fileSender) request(batch []numbered) request {
	var body bytes.Buffer
	for _, one := range batch {
		body.Write(one.alert)
		body.WriteByte('\n')
	}
	r := request{method: http.MethodPost, path: f.target(), header: traceHeader(f.getenv("TRACEPARENT"), f.getenv("TRACESTATE")), body: body.Bytes()}
	r.header.Set("Content-Type", "application/x-ndjson")
	return r
}

// target is the path to which alerts go.
func (f *fileSender) target() string {
	if f.alert.Strict {
		return alertsPath + "?strict=1"
	}
	return alertsPath
}

// try is one try, after what waits in the spool.
func (f *fileSender) try(ctx context.Context, r request, into any) error {
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	if err := f.sendWaiting(ctx, f.daemon); err != nil {
		return err
	}
	return f.daemon.do(ctx, r, into)
}

// count counts what became of a batch.
func (f *fileSender) count(batch []numbered, answer receipt) {
	for n, got := range answer.Alerts {
		switch got.Effect {
		case alert.EffectDuplicate:
			f.result.Duplicates++
		case alert.EffectIgnored:
			f.result.Ignored++
		default:
			f.result.Accepted++
		}
		for _, note := range got.Notes {
			f.sayOf(batch[n].line, note)
		}
	}
}

// refuse notes a line that is not accepted.
func (f *fileSender) refuse(line int, why string) {
	f.result.Refused = append(f.result.Refused, refusedLine{line, why})
	f.sayOf(line, "refused: "+why)
}

// sayOf names a line, unless many were named before.
func (f *fileSender) sayOf(line int, what string) {
	f.said++
	f.bar.clear()
	switch {
	case f.said <= saidLines:
		f.say(fmt.Sprintf("%s: line %d: %s", f.path, line, what))
	case f.said == saidLines+1:
		f.say("more lines have notes or are refused; --json lists those that are refused")
	}
}

// finish prints what became of the file. The exit status is 1 unless all lines are accepted.
func (f *fileSender) finish(ctx context.Context, err error) error {
	f.bar.clear()
	r := f.result
	done := r.Accepted + r.Duplicates + r.Ignored + r.Spooled + len(r.Refused)
	text := fmt.Sprintf("%s: %d accepted", counted(done, "alert"), r.Accepted)
	for _, more := range []struct {
		n    int
		what string
	}{{r.Duplicates, "accepted before"}, {r.Ignored, "ignored, because nothing is open"}, {r.Spooled, "waiting in the spool"}, {len(r.Refused), "refused"}} {
		if more.n > 0 {
			text += fmt.Sprintf(", %d %s", more.n, more.what)
		}
	}
	if failed := f.print(r, text+"\n"); failed != nil {
		return errors.Join(err, failed)
	}
	const rest = "send the file again for the rest: nothing counts twice"
	switch {
	case ctx.Err() != nil:
		return &statusError{exitInterrupted, errors.New("interrupted: " + rest)}
	case err != nil:
		return fmt.Errorf("%w\n%s", err, rest)
	case len(r.Refused) > 0:
		return fmt.Errorf("%s refused: correct them and send them as a file of their own; in another file, the others would count again", counted(len(r.Refused), "line"))
	}
	return nil
}
