package bot

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The opcodes of RFC 6455 §5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// closeNormal is the status of an orderly end (RFC 6455 §7.4.1).
const closeNormal = 1000

// errFrame is about bytes that are no frame for us.
var errFrame = errors.New("not a WebSocket frame")

// frameHead is the head of one frame from the server, which is never masked.
type frameHead struct {
	fin    bool
	op     byte
	length uint64
}

func (h frameHead) control() bool { return h.op >= opClose }

// readHead reads one head. A reserved bit or a mask means that what comes is not
// what we asked for (RFC 6455 §5.1, §5.2).
func readHead(r *bufio.Reader) (frameHead, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:2]); err != nil {
		return frameHead{}, err
	}
	h := frameHead{fin: b[0]&0x80 != 0, op: b[0] & 0x0f, length: uint64(b[1] & 0x7f)}
	if b[0]&0x70 != 0 || b[1]&0x80 != 0 {
		return frameHead{}, fmt.Errorf("%w: head %x is not of a server without extensions", errFrame, b[:2])
	}
	more := map[uint64]int{126: 2, 127: 8}[h.length]
	if h.control() && (more > 0 || !h.fin) {
		return frameHead{}, fmt.Errorf("%w: head %x, but a control frame is short and whole", errFrame, b[:2])
	}
	if more == 0 {
		return h, nil
	}
	b = [8]byte{}
	if _, err := io.ReadFull(r, b[8-more:]); err != nil {
		return frameHead{}, err
	}
	h.length = binary.BigEndian.Uint64(b[:])
	return h, nil
}

// appendHead writes the head of a whole frame of n bytes.
func appendHead(dst []byte, op byte, n int, mask byte) []byte {
	dst = append(dst, 0x80|op)
	switch {
	case n < 126:
		return append(dst, mask|byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, mask|126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, mask|127), uint64(n))
}

// clientFrame is a whole masked frame, as a client has to send it.
func clientFrame(op byte, payload []byte) []byte {
	frame := appendHead(make([]byte, 0, len(payload)+14), op, len(payload), 0x80)
	var key [4]byte
	_, _ = rand.Read(key[:])
	frame = append(frame, key[:]...)
	for i, b := range payload {
		frame = append(frame, b^key[i%4])
	}
	return frame
}
