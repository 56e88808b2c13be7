package bot

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"

// serverFrame is a frame as a server writes it.
func serverFrame(fin bool, op byte, payload string) string {
	head := appendHead(nil, op, len(payload), 0)
	if !fin {
		head[0] &= 0x7f
	}
	return string(head) + payload
}

func closeFrame(status uint16) string {
	return serverFrame(true, opClose, string(binary.BigEndian.AppendUint16(nil, status)))
}

// pair is a wire and the far side of its connection.
func pair(t testing.TB) (*wire, net.Conn) {
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return newWire(near, idleLimit), far
}

// feed writes in the background; net.Pipe has no buffer.
func feed(far io.Writer, parts ...string) {
	go func() {
		for _, part := range parts {
			_, _ = io.WriteString(far, part)
		}
	}()
}

// handed reads n bytes from the wire's upper side.
func handed(t *testing.T, w *wire, n int) string {
	t.Helper()
	buf := make([]byte, n)
	if _, err := io.ReadFull(w, buf); err != nil {
		t.Fatal(err)
	}
	return string(buf)
}

func TestTheWireHandsUpMessagesAndControlFrames(t *testing.T) {
	hello := `{"type":"hello"}`
	long := `{"a":"` + strings.Repeat("x", 70_000) + `"}`
	w, far := pair(t)
	feed(far, upgraded, serverFrame(true, opText, hello),
		serverFrame(false, opText, `{"b":`), serverFrame(true, opPing, "are you there"), serverFrame(true, opContinuation, `1}`),
		serverFrame(true, opText, long))
	for _, want := range []string{
		upgraded, serverFrame(true, opText, hello), serverFrame(true, opPing, "are you there"),
		serverFrame(true, opText, `{"b":1}`), serverFrame(true, opText, long),
	} {
		if got := handed(t, w, len(want)); got != want {
			t.Fatalf("got %.80q, want %.80q", got, want)
		}
	}
	if n := w.up.Load(); n != 3 {
		t.Errorf("%d messages counted", n)
	}
}

func TestTheWireKeepsBackWhatIsNoMessage(t *testing.T) {
	var odd []string
	w, far := pair(t)
	w.odd = func(what string) { odd = append(odd, what) }
	feed(far, upgraded,
		serverFrame(true, opText, "UNAUTHENTICATED: cache_error"), serverFrame(true, opText, ""), serverFrame(true, opText, "{"),
		serverFrame(true, opText, "[1]"), serverFrame(true, opBinary, `{"binary":1}`),
		serverFrame(true, opText, `{"a":"`+strings.Repeat("x", messageLimit)+`"}`),
		serverFrame(true, opText, `{}`))
	want := upgraded + serverFrame(true, opText, `{}`)
	if got := handed(t, w, len(want)); got != want {
		t.Errorf("got %q", got)
	}
	if len(odd) != 6 {
		t.Errorf("noted: %q", odd)
	}
}

func TestTheWireTakesOutDisconnectAndReadsOn(t *testing.T) {
	var reasons []string
	w, far := pair(t)
	w.notice = func(reason string) { reasons = append(reasons, reason) }
	after := `{"type":"slash_commands","payload":{"text":"say \"disconnect\""}}`
	feed(far, upgraded, serverFrame(true, opText, `{"debug_info":{},"type":"disconnect","reason":"refresh_requested"}`), serverFrame(true, opText, after))
	want := upgraded + serverFrame(true, opText, after)
	if got := handed(t, w, len(want)); got != want {
		t.Errorf("got %q", got)
	}
	if fmt.Sprint(reasons) != "[refresh_requested]" {
		t.Errorf("reasons: %q", reasons)
	}
}

func TestTheWireHoldsBackTheEndUntilItIsLetGo(t *testing.T) {
	for name, end := range map[string]string{"close frame": closeFrame(1000), "cut": ""} {
		t.Run(name, func(t *testing.T) {
			w, far := pair(t)
			go func() {
				_, _ = io.WriteString(far, upgraded+end)
				_ = far.Close()
			}()
			handed(t, w, len(upgraded))
			read := make(chan string, 1)
			go func() {
				rest, err := io.ReadAll(w)
				read <- fmt.Sprint(string(rest), err)
			}()
			<-w.ended
			select {
			case got := <-read:
				t.Fatalf("handed up before it was let go: %q", got)
			default:
			}
			w.letGo()
			if got := next(t, read); !strings.HasPrefix(got, end) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestARefusedUpgradeIsHandedUpAsItIs(t *testing.T) {
	answer := "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno ticket"
	w, far := pair(t)
	feed(far, answer)
	if got := handed(t, w, len(answer)); got != answer {
		t.Errorf("got %q", got)
	}
	if w.open() {
		t.Error("it says that it is open")
	}
}

func TestSilenceEndsTheWireAndAnyFrameKeepsItAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := pair(t)
		feed(far, upgraded)
		handed(t, w, len(upgraded))
		start := time.Now()
		time.AfterFunc(15*time.Second, func() { _, _ = io.WriteString(far, serverFrame(true, opPong, "tocsin")) })
		go w.letGo()
		rest, err := io.ReadAll(w)
		if heard := time.Since(start); heard != 15*time.Second+idleLimit {
			t.Errorf("ended after %s", heard)
		}
		if len(rest) == 0 || err == nil || !strings.Contains(err.Error(), "nothing was heard") {
			t.Errorf("read %q, %v", rest, err)
		}
	})
}

func TestNothingFollowsTheCloseFrame(t *testing.T) {
	w, far := pair(t)
	feed(far, upgraded)
	handed(t, w, len(upgraded))
	wrote := make(chan string)
	go func() {
		r := bufio.NewReader(far)
		for range 2 {
			wrote <- clientMessage(r)
		}
	}()
	ack := clientFrame(opText, []byte(`{"envelope_id":"1"}`))
	if _, err := w.Write(ack); err != nil {
		t.Fatal(err)
	}
	if got := next(t, wrote); got != `1 {"envelope_id":"1"}` {
		t.Errorf("wrote %q", got)
	}
	go w.sendClose()
	if got := next(t, wrote); got != "8 \x03\xe8" {
		t.Errorf("wrote %q", got)
	}
	if _, err := w.Write(ack); !errors.Is(err, errClosing) {
		t.Errorf("an ack after the close frame: %v", err)
	}
	if n, err := w.Write(clientFrame(opClose, nil)); err != nil || n == 0 {
		t.Errorf("the library's own close frame: %d, %v", n, err)
	}
	w.ping()
	if w.open() || w.sent.Load() != 1 {
		t.Errorf("open %t, %d messages written", w.open(), w.sent.Load())
	}
}

// clientMessage reads one short masked frame as "opcode payload".
func clientMessage(r *bufio.Reader) string {
	head := make([]byte, 6)
	if _, err := io.ReadFull(r, head); err != nil {
		return err.Error()
	}
	payload := make([]byte, head[1]&0x7f)
	_, _ = io.ReadFull(r, payload)
	for i := range payload {
		payload[i] ^= head[2+i%4]
	}
	return fmt.Sprintf("%d %s", head[0]&0x0f, payload)
}

func TestFramesAreNeverMixed(t *testing.T) {
	w, far := pair(t)
	feed(far, upgraded)
	handed(t, w, len(upgraded))
	var writers sync.WaitGroup
	for range 50 {
		writers.Go(w.ping)
		writers.Go(func() { _, _ = w.Write(clientFrame(opText, []byte(`{"envelope_id":"1"}`))) })
	}
	r := bufio.NewReader(far)
	for range 100 {
		if got := clientMessage(r); got != `1 {"envelope_id":"1"}` && got != "9 tocsin" {
			t.Fatalf("wrote %q", got)
		}
	}
	writers.Wait()
}

func TestHeadsOfFramesThatNoServerSendsAreRefused(t *testing.T) {
	for name, head := range map[string]string{
		"masked": "\x81\x85", "reserved bit": "\xc1\x05", "fragmented ping": "\x09\x00", "long ping": "\x89\x7e\x00\x80", "short": "\x81",
	} {
		if h, err := readHead(bufio.NewReader(strings.NewReader(head))); err == nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func FuzzTheWireSurvivesAnything(f *testing.F) {
	f.Add([]byte(serverFrame(true, opText, `{"type":"disconnect"}`) + closeFrame(1000)))
	f.Add([]byte(serverFrame(false, opText, `{"b":`) + serverFrame(true, opContinuation, `1}`)))
	f.Add([]byte("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		near, far := net.Pipe()
		w := newWire(near, idleLimit)
		w.letGo()
		go func() {
			_, _ = far.Write(append([]byte(upgraded), data...))
			_ = far.Close()
		}()
		if _, err := io.ReadAll(w); err == nil {
			t.Error("the end has no error")
		}
		if w.up.Load() > int64(len(data)) {
			t.Errorf("%d messages from %d bytes", w.up.Load(), len(data))
		}
		_ = w.Close()
	})
}
