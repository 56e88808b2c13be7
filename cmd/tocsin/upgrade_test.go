package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// later builds a version whose tables have one migration more than this one's.
func later(t *testing.T, number int, migration string) (program string) {
	t.Helper()
	dir := t.TempDir()
	folder, err := filepath.Abs("../../store/migrations/postgres")
	if err != nil {
		t.Fatal(err)
	}
	written := filepath.Join(dir, "later.sql")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(folder, fmt.Sprintf("%05d_later.sql", number)): written}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{written: "-- +goose Up\n" + migration, filepath.Join(dir, "overlay.json"): string(overlay)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "tocsin")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-ldflags", fmt.Sprint("-X main.version=v", number), "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// latestMigration is the number of the latest migration of this version.
func latestMigration(t *testing.T) (number int) {
	t.Helper()
	files, err := filepath.Glob("../../store/migrations/postgres/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no migrations")
	}
	if _, err := fmt.Sscanf(filepath.Base(slices.Max(files)), "%d_", &number); err != nil {
		t.Fatal(err)
	}
	return number
}

// upgraded starts replicas on one database, of this version or of another one.
type upgraded struct {
	t     *testing.T
	slack *playground.Server
	store string
}

func (u upgraded) start(program string) *process {
	u.t.Helper()
	p := prepare(u.t, u.slack, map[string]string{"TOCSIN_STORE": u.store})
	if program != "" {
		p.path = program
	}
	p.start()
	return p
}

// accepts pushes an alert to a ready standby, which the active replica decides and shows.
func (u upgraded) accepts(standby *process, title string) {
	u.t.Helper()
	if h, err := standby.health(); err != nil || !h.Ready || !h.Standby {
		u.t.Errorf("before %s the standby is %+v, %v", title, h, err)
	}
	a := firing(title, title)
	a["idempotency_key"] = title
	if got := standby.mustPush(a); got[0].Incident == "" {
		u.t.Errorf("%s got %+v", title, got)
	}
	cardOf(u.t, u.slack, title)
}

func ends(t *testing.T, p *process) {
	t.Helper()
	if err := p.terminate(); err != nil {
		t.Error(err)
	}
}

// Where the later version only adds to the tables, each version takes over from the other.
func TestReplicasAreUpgradedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	u := upgraded{t, slack(t, playground.Options{}), sharedStore(t)}
	next := later(t, latestMigration(t)+1, "ALTER TABLE incidents ADD COLUMN later TEXT NOT NULL DEFAULT '';")
	old := u.start("")
	first := u.start(next)
	u.accepts(first, "one")
	ends(t, old)
	active(t, []*process{first})
	again := u.start("")
	u.accepts(again, "two")
	first.kill()
	active(t, []*process{again})
	second := u.start(next)
	u.accepts(second, "three")
	ends(t, again)
	active(t, []*process{second})
	if l := second.ledger(); l.Total.Accepted != 3 {
		t.Errorf("the ledger has %+v", l.Total)
	}
}

// An earlier version must not write to tables that it does not know, and loses nothing meanwhile.
func TestAStandbyThatIsTooOldAcceptsAndWaitsForANewerReplica(t *testing.T) {
	t.Parallel()
	u := upgraded{t, slack(t, playground.Options{}), sharedStore(t)}
	next := later(t, (latestMigration(t)/100+1)*100, "CREATE TABLE later (n BIGINT);")
	old := u.start("")
	first := u.start(next)
	u.accepts(first, "one")
	ends(t, old)
	active(t, []*process{first})
	again := u.start("")
	u.accepts(again, "two")
	first.kill()
	again.eventually("the reason why nobody is active", func() bool {
		h, err := again.health()
		return err == nil && h.Ready && h.Standby && slices.ContainsFunc(h.Notes, func(p alert.Problem) bool { return strings.Contains(p.What, "a newer tocsin wrote it") })
	})
	if got := again.mustPush(firing("three", "three")); got[0].Effect != alert.EffectQueued {
		t.Errorf("without an active replica the receipt is %+v", got)
	}
	second := u.start(next)
	cardOf(t, u.slack, "three")
	u.accepts(again, "four")
	again.eventually("nothing about a newer one", func() bool {
		h, err := again.health()
		return err == nil && !strings.Contains(fmt.Sprint(h.Notes), "newer tocsin")
	})
	if l := second.ledger(); l.Total.Accepted != 4 {
		t.Errorf("the ledger has %+v", l.Total)
	}
}
