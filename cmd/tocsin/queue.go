package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"tocsin/alert"
)

// queueCmd is the family of commands about what is owed to Slack.
type queueCmd struct {
	Ledger queueLedgerCmd `cmd:"" default:"withargs" help:"Show where every accepted alert stands (the default)."`
	List   queueListCmd   `cmd:"" help:"List deliveries: what waits, what was given up."`
	Show   queueShowCmd   `cmd:"" help:"Show a delivery with its incident and its alerts in full."`
	Retry  queueRetryCmd  `cmd:"" help:"Owe dead letters again, in their old places."`
	Drop   queueDropCmd   `cmd:"" help:"Note that nobody needs dead letters any more."`
}

type queueLedgerCmd struct {
	clientFlags
	JSON bool `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (queueLedgerCmd) Help() string {
	return `Every accepted alert is in exactly one column; accepted is their sum, since the store was made.

Examples:
  tocsin queue
  tocsin queue --json | jq .total.pending`
}

// Run shows the ledger.
func (c queueLedgerCmd) Run(ctx context.Context, w world) error {
	var l alert.Ledger
	if err := c.ask(ctx, w, http.MethodGet, "/v1/ledger", &l); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(w.stdout, l)
	}
	err := table(w.stdout, func(line func(cells ...any)) {
		line("LANE", "ACCEPTED", "PENDING", "DELIVERED", "FOLDED", "SILENCED", "DEAD")
		for _, lane := range append(l.Lanes, alert.LaneCounts{Lane: "total", Counts: l.Total}) {
			line(lane.Lane, lane.Accepted, lane.Pending, lane.Delivered, lane.Folded, lane.Silenced, lane.Dead)
		}
	})
	if err != nil || l.PossibleDuplicates == 0 {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "\n%s may be shown twice%s\n", counted(l.PossibleDuplicates, "message"), twiceIn(l))
	return err
}

// twiceIn says in which lanes messages may be shown twice.
func twiceIn(l alert.Ledger) string {
	var lanes []string
	for _, lane := range l.Lanes {
		if lane.PossibleDuplicates > 0 {
			lanes = append(lanes, fmt.Sprintf("%s (%d)", lane.Lane, lane.PossibleDuplicates))
		}
	}
	return " in " + strings.Join(lanes, ", ")
}

// ask sends a request without a body and decodes the answer into into.
func (f clientFlags) ask(ctx context.Context, w world, method, path string, into any) error {
	return f.tell(ctx, w, message{method: method, path: path}, into)
}

// message is a request with a body.
type message struct {
	method, path string
	body         any
}

// tell sends a request and decodes the answer into into.
func (f clientFlags) tell(ctx context.Context, w world, m message, into any) error {
	daemon, err := f.connect(w)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longestAsk)
	defer cancel()
	return daemon.call(ctx, m.method, m.path, m.body, into)
}

// table prints lines in columns.
func table(w io.Writer, fill func(line func(cells ...any))) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fill(func(cells ...any) {
		for i, cell := range cells {
			if i > 0 {
				_, _ = fmt.Fprint(t, "\t") // Flush has the error
			}
			_, _ = fmt.Fprint(t, cell)
		}
		_, _ = fmt.Fprintln(t)
	})
	return t.Flush()
}

// clock shows a time as people read it; a dash for none.
func clock(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04:05")
}

// letters are the dead letters that a person means.
type letters struct {
	IDs  []string `arg:"" optional:"" name:"id" help:"Ids of dead letters (see tocsin queue list)."`
	All  bool     `help:"All dead letters."`
	Lane string   `placeholder:"NAME" help:"With --all: those of this conversation only."`
	JSON bool     `help:"Print as JSON."`
}

// Validate is called by kong: either ids or --all.
func (l letters) Validate() error {
	switch {
	case l.All && len(l.IDs) > 0:
		return fmt.Errorf("give ids or --all, not both")
	case !l.All && l.Lane != "":
		return fmt.Errorf("--lane goes with --all")
	case !l.All && len(l.IDs) == 0:
		return fmt.Errorf("say which: ids, or --all (with --lane NAME for one conversation)")
	}
	return nil
}

// decide has the daemon retry or drop the letters, and adds up what it did.
func (l letters) decide(ctx context.Context, w world, f clientFlags, verb string) (alert.RetryResult, error) {
	if l.All {
		q := url.Values{"all": {"true"}}
		if l.Lane != "" {
			q = url.Values{"lane": {l.Lane}}
		}
		var moved alert.RetryResult
		err := f.ask(ctx, w, http.MethodPost, "/v1/deliveries/"+verb+"?"+q.Encode(), &moved)
		return moved, err
	}
	sum := alert.RetryResult{Lanes: []string{}}
	for _, id := range l.IDs {
		var moved alert.RetryResult
		if err := f.ask(ctx, w, http.MethodPost, "/v1/deliveries/"+url.PathEscape(id)+"/"+verb, &moved); err != nil {
			return sum, err
		}
		sum.Deliveries += moved.Deliveries
		sum.Alerts += moved.Alerts
		sum.Lanes = union(sum.Lanes, moved.Lanes)
	}
	return sum, nil
}
