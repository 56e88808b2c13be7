package main

import (
	"fmt"
	"syscall"
)

// leastFiles is how many files a daemon must be able to open: its store, its
// connections to Slack, and as many clients again.
const leastFiles = 256

// usualFiles is Linux's usual soft limit.
const usualFiles = 1024

// openFiles returns how many files this process may have open. Go has already raised
// the soft limit to the hard one (package os).
func openFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return usualFiles, nil //nolint:nilerr // a sandbox forbids the question, which is no reason not to start
	}
	if limit.Cur < leastFiles {
		return 0, fmt.Errorf("only %d files can be open at once, and the daemon needs %d: raise LimitNOFILE= in the unit, or the hard limit (ulimit -Hn)", limit.Cur, leastFiles)
	}
	return int(min(limit.Cur, 1<<20)), nil
}
