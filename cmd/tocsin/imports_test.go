package main

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed is the table of docs/design.md §2: what each package may import of ours.
// Arrows go down only; packages on one floor are strangers.
var allowed = map[string][]string{
	"alert":      {},
	"systemd":    {},
	"playground": {"playground/blockkit", "playground/mrkdwn", "playground/page", "playground/wire"},

	"playground/blockkit": {},
	"playground/mrkdwn":   {},
	"playground/page":     {},
	"playground/wire":     {},
	"store/storetest":     {"store"}, // for tests of other packages
	"api":                 {"alert"},
	"engine":              {"alert"},
	"outbox":              {"alert"},
	"store":               {"alert"},
	"render":              {"alert"},
	"config":              {"alert"},
	"ingest":              {"alert"},
	"trace":               {"alert"},
	"bot":                 {"alert", "render"},
	"handlers":            {"alert", "render", "bot"},
	"cmd/tocsin":          {"alert", "systemd", "playground", "api", "ingest", "engine", "outbox", "store", "trace", "render", "config", "bot", "handlers"},
}

// homes are the third parties with the packages that may know them.
var homes = map[string][]string{
	"github.com/slack-go/slack":        {"bot", "render"},
	"golang.org/x/image":               {"render"},
	"github.com/gorilla/websocket":     {"bot"},
	"github.com/gobwas/ws":             {"playground", "playground/wire"},
	"modernc.org/sqlite":               {"store"},
	"github.com/jackc/pgx/v5":          {"store"},
	"github.com/pressly/goose/v3":      {"store"},
	"github.com/goccy/go-yaml":         {"config"},
	"github.com/spf13/cobra":           {"cmd/tocsin"},
	"github.com/spf13/pflag":           {"cmd/tocsin"},
	"github.com/mattn/go-isatty":       {"cmd/tocsin"},
	"github.com/coreos/go-systemd/v22": {"systemd"},
	"github.com/expr-lang/expr":        {"ingest"},
	"github.com/google/uuid":           {"alert"},
	"golang.org/x/text":                {"api"},
	"github.com/swaggest/openapi-go":   {"api"},
	"golang.org/x/term":                {"cmd/tocsin"},
	"golang.org/x/sys":                 {"api"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "tocsin/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestArrowsBetweenPackagesAreThoseOfTheDesign(t *testing.T) {
	found := map[string]bool{}
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "tocsin/")
		may, known := allowed[name]
		if !known {
			t.Errorf("package %s is not in the table", name)
			continue
		}
		found[name] = true
		for _, arrow := range forbidden(p.Imports, may) {
			t.Errorf("%s imports %s, which the table does not allow", name, arrow)
		}
	}
	for name := range allowed {
		if !found[name] {
			t.Errorf("package %s of the table does not exist", name)
		}
	}
}

// forbidden returns the imports of ours that are not in may.
func forbidden(imports, may []string) []string {
	var bad []string
	for _, path := range imports {
		ours, ok := strings.CutPrefix(path, "tocsin/")
		if ok && !slices.Contains(may, ours) {
			bad = append(bad, ours)
		}
	}
	return bad
}

func TestTheTableCatchesAnArrowThatGoesUp(t *testing.T) {
	if got := forbidden([]string{"fmt", "tocsin/alert", "tocsin/bot"}, allowed["store"]); !slices.Equal(got, []string{"bot"}) {
		t.Errorf("forbidden arrows are %v, want bot", got)
	}
}

func TestEachThirdPartyHasItsHome(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "tocsin/")
		for _, path := range p.Imports {
			for party, in := range homes {
				if (path == party || strings.HasPrefix(path, party+"/")) && !slices.Contains(in, name) {
					t.Errorf("%s imports %s, whose home is %v", name, path, in)
				}
			}
		}
	}
}
