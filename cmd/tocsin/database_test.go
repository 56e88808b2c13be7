package main

import (
	"context"
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

// database is a PostgreSQL server in a network namespace of its own. One cable
// leads there, which the test can cut.
type database struct {
	t      testing.TB
	bin    string // the folder of PostgreSQL's programs
	dir    string
	server *exec.Cmd
	// space is the namespace, cable the name of both ends of the cable, and near and
	// far are their addresses.
	space, cable, near, far string
}

// spaces numbers the namespaces of this process.
var spaces atomic.Int64

// cutOffDatabase starts a server, which ends with the test. It needs root.
func cutOffDatabase(t testing.TB) *database {
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
	n := spaces.Add(1)
	subnet := (os.Getpid()*8 + int(n)) % (1 << 15) * 4 // in 198.18.0.0/15, which is for tests
	address := func(host int) string {
		return fmt.Sprintf("198.%d.%d.%d", 18+subnet>>16, subnet>>8&255, subnet&255+host)
	}
	d := &database{
		t: t, bin: slices.Max(programs), cable: fmt.Sprintf("tc%d-%d", os.Getpid(), n), near: address(1), far: address(2),
		space: fmt.Sprintf("tocsin-test-%d-%d", os.Getpid(), n),
	}
	d.layCable()
	d.start()
	return d
}

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
	d.run("ip", "netns", "add", d.space)
	d.t.Cleanup(func() { d.run("ip", "netns", "del", d.space) }) // the cable goes with it
	d.run("ip", "link", "add", d.cable, "type", "veth", "peer", "name", d.cable, "netns", d.space)
	d.run("ip", "addr", "add", d.near+"/30", "dev", d.cable)
	d.run("ip", "link", "set", d.cable, "up")
	d.run("ip", "-n", d.space, "addr", "add", d.far+"/30", "dev", d.cable)
	d.run("ip", "-n", d.space, "link", "set", d.cable, "up")
}

// cut makes the network drop every packet without a word: each side sends to a
// hardware address that nobody has.
func (d *database) cut() {
	d.t.Helper()
	const nobody = "02:00:00:00:00:01"
	d.run("ip", "neigh", "replace", d.far, "lladdr", nobody, "nud", "permanent", "dev", d.cable)
	d.run("ip", "-n", d.space, "neigh", "replace", d.near, "lladdr", nobody, "nud", "permanent", "dev", d.cable)
}

func (d *database) mend() {
	d.t.Helper()
	d.run("ip", "neigh", "del", d.far, "dev", d.cable)
	d.run("ip", "-n", d.space, "neigh", "del", d.near, "dev", d.cable)
}

// start makes a cluster and returns once it takes connections.
func (d *database) start() {
	d.t.Helper()
	d.dir = d.folder()
	data := filepath.Join(d.dir, "data")
	d.run("setpriv", d.asPostgres("initdb", "-D", data, "-U", "tocsin", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")...)
	hba := fmt.Sprintf("local all all trust\nhost all all %s/32 trust\n", d.near)
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		d.t.Fatal(err)
	}
	log := &logBuffer{}
	d.server = exec.Command("ip", append([]string{"netns", "exec", d.space, "setpriv"},
		d.asPostgres("postgres", "-D", data, "-k", d.dir, "-c", "listen_addresses="+d.far, "-c", "fsync=off")...)...)
	d.server.Dir, d.server.Stdout, d.server.Stderr = "/", log, log
	if err := d.server.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = d.server.Process.Signal(syscall.SIGQUIT) // at once
		err := d.server.Wait()
		if d.t.Failed() {
			d.t.Logf("PostgreSQL ended with %v, its log:\n%s", err, log)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for exec.Command(filepath.Join(d.bin, "pg_isready"), "-h", d.dir, "-U", "tocsin").Run() != nil {
		if !pause(ctx, 50*time.Millisecond) {
			d.t.Fatalf("PostgreSQL does not start:\n%s", log)
		}
	}
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
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, p := range append(strings.Fields(string(children)), strconv.Itoa(pid)) {
		child, err := strconv.Atoi(p)
		if err == nil {
			err = syscall.Kill(child, s)
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

// remote is the URL over the cable, local the one of the server's socket.
func (d *database) remote() string {
	return "postgres://tocsin@" + d.far + "/postgres?sslmode=disable"
}
func (d *database) local() string { return "postgres://tocsin@/postgres?host=" + d.dir }
