package store

import "time"

// What the kernel calls these, where package syscall has no name for it.
const (
	// openFileLock is F_OFD_SETLK. Such a lock belongs to the open file.
	// One that belongs to the process would be lost when SQLite closes the file.
	openFileLock = 37
	// tcpGiveUp is TCP_USER_TIMEOUT, which is in tcpGiveUpUnit.
	tcpGiveUp     = 18
	tcpGiveUpUnit = time.Millisecond
)
