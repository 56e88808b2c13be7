package api

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// warnEvery is how often closed connections are logged.
const warnEvery = time.Minute

// Connections keeps the open connections of several servers below a limit: above it,
// the connection that has been idle for longest is closed. A process that ran out of
// file descriptors could reach neither Slack nor its store.
type Connections struct {
	most int
	log  *zap.Logger

	mu     sync.Mutex
	open   int
	idle   *list.List // of net.Conn, idle for longest first
	places map[net.Conn]*list.Element
	warned time.Time
}

// NewConnections allows most open connections.
func NewConnections(most int, log *zap.Logger) *Connections {
	return &Connections{most: most, log: log, idle: list.New(), places: map[net.Conn]*list.Element{}}
}

// Track is an http.Server's ConnState. A connection that has sent nothing yet counts
// as idle.
func (c *Connections) Track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.open++
		c.places[conn] = c.idle.PushBack(conn)
		c.enforce()
	case http.StateIdle:
		c.places[conn] = c.idle.PushBack(conn)
	case http.StateActive:
		c.forget(conn)
	case http.StateClosed, http.StateHijacked:
		c.open--
		c.forget(conn)
	}
}

// Open is how many connections are open.
func (c *Connections) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// enforce makes room for a new connection, which is closed itself if all others are
// busy.
func (c *Connections) enforce() {
	if c.open <= c.most {
		return
	}
	if now := time.Now(); now.Sub(c.warned) > warnEvery {
		c.warned = now
		c.log.Warn("too many connections: idle ones are closed", zap.Int("open", c.open), zap.Int("limit", c.most))
	}
	if oldest := c.idle.Front(); oldest != nil {
		conn := oldest.Value.(net.Conn)
		c.forget(conn)
		_ = conn.Close() // nothing was asked, so nobody waits for an answer
	}
}

func (c *Connections) forget(conn net.Conn) {
	if at, ok := c.places[conn]; ok {
		c.idle.Remove(at)
		delete(c.places, conn)
	}
}
