package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

const (
	// largestFile is larger than any configuration, secret or certificate. What a device such
	// as /dev/zero has would never end.
	largestFile = 4 << 20
	// readLimit is how long a daemon that runs waits for a file.
	readLimit = 5 * time.Second
	// pipeLimit is how long a start or a command waits for one, which may be a pipe.
	pipeLimit = 30 * time.Second
)

// readFile reads a file of the configuration. It may be a pipe, to which nobody may ever write.
func readFile(path string) ([]byte, error) { return readWithin(path, pipeLimit) }

func readWithin(path string, limit time.Duration) ([]byte, error) {
	type result struct {
		content []byte
		err     error
	}
	done := make(chan result, 1)
	go func() {
		content, err := readWhole(path)
		done <- result{content, err}
	}()
	select {
	case r := <-done:
		return r.content, r.err
	case <-time.After(limit):
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has had no end within %s; if it is a pipe, nobody writes to it", limit)}
	}
}

func readWhole(path string) (content []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	content, err = io.ReadAll(io.LimitReader(f, largestFile+1))
	if err == nil && len(content) > largestFile {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has more than %d MiB", largestFile>>20)}
	}
	return content, err
}

// fromFiles returns what reads files for a daemon that runs: no pipe, which nobody may ever
// write to, and for no longer than readLimit, because a file system may not answer.
func fromFiles(read func(string) ([]byte, error)) func(string) ([]byte, error) {
	type reading struct {
		done    chan struct{}
		content []byte
		err     error
	}
	var mu sync.Mutex
	begun := map[string]*reading{} // a second one of the same file would wait, too
	start := func(path string) *reading {
		mu.Lock()
		defer mu.Unlock()
		if r := begun[path]; r != nil {
			return r
		}
		r := &reading{done: make(chan struct{})}
		begun[path] = r
		go func() {
			defer close(r.done)
			if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
				r.err = fmt.Errorf("%s is not a file", path)
			} else {
				r.content, r.err = read(path)
			}
			mu.Lock()
			defer mu.Unlock()
			delete(begun, path)
		}()
		return r
	}
	return func(path string) ([]byte, error) {
		limit := time.NewTimer(readLimit)
		defer limit.Stop()
		r := start(path)
		select {
		case <-r.done:
			return r.content, r.err
		case <-limit.C:
			return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("the file system has not answered within " + readLimit.String())}
		}
	}
}
