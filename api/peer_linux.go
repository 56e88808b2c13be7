package api

import "syscall"

// peerOf returns the uid at the other end of a Unix socket (SO_PEERCRED, unix(7)).
func peerOf(fd int) (uint32, error) {
	cred, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
