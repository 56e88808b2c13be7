package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstSocket is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstSocket = 3

// Listeners returns a listener for each socket that systemd has bound for this process,
// by the name that FileDescriptorName= of its unit gives it. What connects while no
// process runs waits in the socket. Closing a listener leaves the socket and its file to
// systemd, and Listeners may be called again.
func Listeners() (map[string]net.Listener, error) {
	all := map[string]net.Listener{}
	for i, name := range passedNames() {
		l, err := listener(firstSocket + i)
		if err == nil && all[name] != nil {
			err = errors.Join(errors.New("another socket has this name: give each a unit with a FileDescriptorName= of its own"), l.Close())
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("use the socket %q of systemd: %w", name, err), closeAll(all))
		}
		all[name] = l
	}
	return all, nil
}

// passedNames are the names of the sockets that are passed to this process and to no
// other: a program that it starts inherits the variables.
func passedNames() []string {
	pid, err := strconv.Atoi(os.Getenv("LISTEN_PID"))
	if err != nil || pid != os.Getpid() {
		return nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n <= 0 {
		return nil
	}
	names := make([]string, n)
	copy(names, strings.Split(os.Getenv("LISTEN_FDNAMES"), ":"))
	return names
}

// listener listens on a copy of a descriptor.
func listener(descriptor int) (net.Listener, error) {
	syscall.CloseOnExec(descriptor)
	// The copy is made by FileListener, which also sees to its flags. File must not close
	// the descriptor when it is collected, so it gets a copy of its own.
	again, err := syscall.Dup(descriptor)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(again)
	file := os.NewFile(uintptr(again), "")
	l, err := net.FileListener(file)
	return l, errors.Join(err, file.Close())
}

func closeAll(listeners map[string]net.Listener) (err error) {
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}
