package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// database is a PostgreSQL server that is reached at a Unix socket in its folder and over its
// cables, if it has any, which lead to a network namespace of its own.
type database struct {
	t      testing.TB
	bin    string // the folder of PostgreSQL's programs
	dir    string
	port   string
	server *exec.Cmd
	log    *logBuffer
	space  string // the namespace
	cables []*cable
}

// cable leads to a network namespace, and the test can cut it. Both ends have its name, and
// near and far are their addresses.
type cable struct {
	d               *database
	name, near, far string
}

// spaces numbers the namespaces of this process.
var spaces atomic.Int64

// newDatabase starts a server that ends with the test and is reached over so many cables. It
// needs root.
func newDatabase(t testing.TB, cables int) *database {
	t.Helper()
	programs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	_, noTool := exec.LookPath("ip")
	if err != nil || len(programs) == 0 || noTool != nil || os.Geteuid() != 0 {
		const why = "needs root, ip, and PostgreSQL in /usr/lib/postgresql"
		if os.Getenv("TOCSIN_CI_STRICT") != "" {
			t.Fatal(why + ", and no test may be skipped here")
		}
		t.Skip(why)
	}
	d := &database{t: t, bin: slices.Max(programs), port: "5432"}
	if cables > 0 {
		d.space = fmt.Sprintf("tocsin-test-%d-%d", os.Getpid(), spaces.Add(1))
		d.run("ip", "netns", "add", d.space)
		t.Cleanup(func() { d.run("ip", "netns", "del", d.space) }) // its cables go with it
	}
	for range cables {
		d.layCable()
	}
	d.dir = d.folder()
	d.run("setpriv", d.asPostgres("initdb", "-D", d.data(), "-U", "tocsin", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")...)
	const hba = "local all all trust\nlocal replication all trust\nhost all all 198.18.0.0/15 trust\n"
	if err := os.WriteFile(filepath.Join(d.data(), "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	return d
}

// cutOffDatabase starts a server that one cable leads to.
func cutOffDatabase(t testing.TB) *database { return newDatabase(t, 1) }

// soloDatabase starts a server that is reached at a Unix socket alone.
func soloDatabase(t testing.TB) *database { return newDatabase(t, 0) }

// run runs a program to its end.
func (d *database) run(program string, args ...string) {
	d.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = "/" // the user postgres may not see the one of the test
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

func (d *database) layCable() {
	d.t.Helper()
	n := spaces.Add(1)
	subnet := (os.Getpid()*16 + int(n)) % (1 << 15) * 4 // in 198.18.0.0/15, which is for tests
	address := func(host int) string {
		return fmt.Sprintf("198.%d.%d.%d", 18+subnet>>16, subnet>>8&255, subnet&255+host)
	}
	c := &cable{d: d, name: fmt.Sprintf("tc%d-%d", os.Getpid(), n), near: address(1), far: address(2)}
	d.run("ip", "link", "add", c.name, "type", "veth", "peer", "name", c.name, "netns", d.space)
	d.run("ip", "addr", "add", c.near+"/30", "dev", c.name)
	d.run("ip", "link", "set", c.name, "up")
	d.run("ip", "-n", d.space, "addr", "add", c.far+"/30", "dev", c.name)
	d.run("ip", "-n", d.space, "link", "set", c.name, "up")
	d.cables = append(d.cables, c)
}

// cut makes the network drop every packet without a word: each side sends to a
// hardware address that nobody has.
func (c *cable) cut() {
	c.d.t.Helper()
	const nobody = "02:00:00:00:00:01"
	c.d.run("ip", "neigh", "replace", c.far, "lladdr", nobody, "nud", "permanent", "dev", c.name)
	c.d.run("ip", "-n", c.d.space, "neigh", "replace", c.near, "lladdr", nobody, "nud", "permanent", "dev", c.name)
}

func (c *cable) mend() {
	c.d.t.Helper()
	c.d.run("ip", "neigh", "del", c.far, "dev", c.name)
	c.d.run("ip", "-n", c.d.space, "neigh", "del", c.near, "dev", c.name)
}

func (d *database) cut()  { d.cables[0].cut() }
func (d *database) mend() { d.cables[0].mend() }

func (d *database) data() string { return filepath.Join(d.dir, "data") }

// start runs the server, which ends with the test, until it takes connections.
func (d *database) start() {
	d.t.Helper()
	var far []string
	for _, c := range d.cables {
		far = append(far, c.far)
	}
	args := append([]string{"setpriv"}, d.asPostgres("postgres", "-D", d.data(), "-k", d.dir, "-p", d.port,
		"-c", "listen_addresses="+strings.Join(far, ","), "-c", "fsync=off", "-c", "wal_retrieve_retry_interval=200ms")...)
	if d.space != "" {
		args = append([]string{"ip", "netns", "exec", d.space}, args...)
	}
	if d.log == nil {
		d.log = &logBuffer{}
		d.t.Cleanup(func() {
			_ = d.server.Process.Signal(syscall.SIGQUIT) // at once; it may have ended
			err := d.server.Wait()
			if d.t.Failed() {
				d.t.Logf("PostgreSQL ended with %v, its log:\n%s", err, d.log)
			}
		})
	}
	d.server = exec.Command(args[0], args[1:]...)
	d.server.Dir, d.server.Stdout, d.server.Stderr = "/", d.log, d.log
	if err := d.server.Start(); err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for exec.Command(filepath.Join(d.bin, "pg_isready"), "-h", d.dir, "-p", d.port, "-U", "tocsin").Run() != nil {
		if !pause(ctx, 50*time.Millisecond) {
			d.t.Fatalf("PostgreSQL does not start:\n%s", d.log)
		}
	}
}

// end ends the server by a signal.
func (d *database) end(by syscall.Signal) {
	d.t.Helper()
	if err := d.server.Process.Signal(by); err != nil {
		d.t.Fatal(err)
	}
	_ = d.server.Wait() // however it ends
}

// asPostgres are the arguments with which setpriv becomes a program of PostgreSQL's,
// which does not run as root.
func (d *database) asPostgres(program string, args ...string) []string {
	return append([]string{"--reuid=postgres", "--regid=postgres", "--clear-groups", filepath.Join(d.bin, program)}, args...)
}

// folder is one that the user postgres may write.
func (d *database) folder() string {
	d.t.Helper()
	dir, err := os.MkdirTemp("", "tocsin-database-")
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			d.t.Error(err)
		}
	})
	var owner int
	postgres, err := user.Lookup("postgres")
	if err == nil {
		owner, err = strconv.Atoi(postgres.Uid)
	}
	if err == nil {
		err = os.Chown(dir, owner, -1)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return dir
}

// signal sends a signal to the server and all its processes.
func (d *database) signal(s syscall.Signal) {
	d.t.Helper()
	pid := d.server.Process.Pid
	if err := syscall.Kill(pid, s); err != nil { // first, so that a server that stops starts no more processes
		d.t.Fatal(err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, p := range strings.Fields(string(children)) {
		child, err := strconv.Atoi(p)
		if err == nil {
			err = syscall.Kill(child, s)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) { // it has ended meanwhile
			d.t.Fatal(err)
		}
	}
}

// remote is the URL over the first cable, local the one of the server's socket.
func (d *database) remote() string { return d.cables[0].url("5432") }
func (d *database) local() string  { return "postgres://tocsin@/postgres?host=" + d.dir }

// url is the one over the cable of the servers at these ports, of which one takes writes.
func (c *cable) url(ports ...string) string {
	hosts := slices.Repeat([]string{c.far}, len(ports))
	return fmt.Sprintf("postgres://tocsin@/postgres?host=%s&port=%s&sslmode=disable&target_session_attrs=read-write", strings.Join(hosts, ","), strings.Join(ports, ","))
}
