package store

import (
	"strings"
	"testing"
)

// TestHotQueriesSeek holds that no query of the daily work looks at more rows
// than it returns, whatever is in the store.
func TestHotQueriesSeek(t *testing.T) {
	d := openTemp(t)
	for name, c := range map[string]struct {
		query string
		index string
	}{
		"claim":             {headPost, "deliveries_due (lane=? AND stage=?)"},
		"next of any kind":  {headEither, "deliveries_due (lane=? AND stage=?)"},
		"oldest":            {oldestQuery, "deliveries_due (lane=? AND stage=? AND priority=?)"},
		"claim update":      {headUpdate, "deliveries_due (lane=? AND stage=?)"},
		"claim front":       {frontQuery, "deliveries_due (lane=? AND stage=? AND priority=?)"},
		"followed":          {followedQuery, "deliveries_due (lane=? AND stage>?)"},
		"posts":             {postsQuery, "deliveries_due (lane=? AND stage=? AND priority=?)"},
		"gather":            {gatherQuery, "INTEGER PRIMARY KEY (rowid=?)"},
		"behind a digest":   {behindQuery, "deliveries_card (incident=? AND lane=?)"},
		"supersede":         {supersedeQuery, "INTEGER PRIMARY KEY (rowid=?)"},
		"own cards":         {ownCardsQuery, "INTEGER PRIMARY KEY (rowid=?)"},
		"advance all":       {advanceAllQuery, "INTEGER PRIMARY KEY (rowid=?)"},
		"digested":          {digestedQuery, "(incident=?)"},
		"folded":            {foldedAlerts, "alerts_pending (incident=? AND lane=?)"},
		"member cards":      {memberCards, "deliveries_digest (digest=? AND kind=?)"},
		"move cards":        {moveCardsQuery, "cards_digest (digest=?)"},
		"former digests":    {formerQuery, "deliveries_digest (digest=? AND kind=?)"},
		"digest list sizes": {sizesQuery, "deliveries_digest (digest=? AND kind=?)"},
		"digest list":       {lineQuery, "deliveries_digest (digest=? AND kind=?)"},
		"lanes":             {lanesQuery, "deliveries_due (lane>?)"},
		"advance":           {advanceQuery, "deliveries_card (incident=? AND lane=?)"},
		"redraws":           {redrawsQuery, "deliveries_card (incident=? AND lane=?)"},
		"finish":            {attemptQuery, "(id=?)"},
		"shown":             {shownAlerts, "alerts_pending (incident=? AND lane=? AND version<?)"},
		"dead alerts":       {deadAlerts, "alerts_pending (incident=? AND lane=?)"},
		"queues":            {queuesQuery, "deliveries_card (incident=?)"},
		"last replies":      {repliesQuery, "deliveries_card (incident=?)"},
		"fold":              {foldQuery, "INTEGER PRIMARY KEY (rowid=?)"},
		"texts":             {textsQuery, "deliveries_card (incident=?)"},
		"hurry":             {hurryQuery, "deliveries_card (incident=? AND lane=?)"},
		"claim quiet":       {headQuiet, "deliveries_due (lane=? AND stage=? AND priority=?)"},
		"to front":          {toFrontQuery, "deliveries_card (incident=?)"},
		"marks":             {marksQuery, "(id=?)"},
		"latest":            {latestQuery, "(key=?)"},
		"seen":              {seenQuery, "alerts_idempotency (idempotency_key=?)"},
		"board":             {boardQuery, "incidents_board (state=? AND (severity,last_at)<(?,?))"},
		"listed":            {listedQuery, "(rowid=?)"},
		"tally":             {tallyQuery, "incidents_board (state=?)"},
		"members":           {membersOf, "cards_digest (digest=?)"},
		"named":             {namedQuery, "(id=?)"},
		"due":               {dueQuery, "incidents_due (due_at<?)"},
		"inhibits":          {inhibitsQuery, "incidents_silence (silence=?)"},
		"inhibited":         {inhibitedQuery, "incidents_silence (silence=? AND rowid>?)"},
		"next due":          {nextDueQuery, "incidents_due (due_at>?)"},
		"due heartbeats":    {dueHeartbeatsQuery, "heartbeats_due (due_at<?)"},
		"next heartbeat":    {nextHeartbeatQuery, "heartbeats_due (due_at>?)"},
		"named heartbeats":  {namedHeartbeatsQuery, "(name=?)"},
		"members of groups": {namedMembersQuery, "INTEGER PRIMARY KEY (rowid=?)"},
		"firing members":    {firingMembersQuery, "members_firing (key=?)"},
		"due members":       {dueMembersQuery, "members_due (incident=?"},
		"firing of a group": {firingOfQuery, "members_worst (incident=? AND rank<?)"},
		"worst members":     {worstMembersQuery, "members_worst (incident=?)"},
		"card members":      {cardMembersQuery, "members_worst (incident=?)"},
		"listed firing":     {listedFiringQuery, "members_worst (incident=? AND rank<?)"},
		"listed resolved":   {listedOverQuery, "members_worst (incident=? AND rank=?"},
		"look inhibited":    {lookInhibitedQuery, "members_silenced (silence=?)"},
		"look firing":       {lookFiringQuery, "members_worst (incident=? AND rank<?)"},
		"later members":     {laterMembersQuery, "members_order (incident=? AND n>? AND n<?)"},
		"close members":     {closeMembersQuery, "members_worst (incident=? AND rank<?)"},
		"reopen members":    {reopenMembersQuery, "members_worst (incident=? AND rank=?)"},
		"wake members":      {wakeMembersQuery, "members_silenced (silence=?)"},
		"wake groups":       {wakeGroupsQuery, "members_silenced (silence=?)"},
		"wake":              {wakeQuery, "incidents_silence (silence=?)"},
		"adopt":             {adoptQuery, "alerts_pending (incident=? AND lane=?)"},
		"hidden":            {hiddenQuery, "(id=?)"},
		"active silences":   {activeQuery, "silences_end (ends_at>?)"},
		"one silence":       {silenceQuery, "(id=?)"},
		"done":              {doneQuery, "history_once (once=?)"},
		"history":           {ownEvents, "history_incident (incident=?)"},
		"its silences":      {silenceEvents, "history_silence (silence=?)"},
		"survey":            {alertStats, "SEARCH alerts USING INTEGER PRIMARY KEY (rowid>?)"},
		"survey incidents":  {incidentStats, "SEARCH incidents USING INTEGER PRIMARY KEY (rowid>?)"},
		"begin survey":      {alertsFrom, "SEARCH alerts USING INTEGER PRIMARY KEY (rowid>?)"},
		"count keys":        {countKeys, "SEARCH alerts USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
		"fresh keys":        {numberedQuery, "INTEGER PRIMARY KEY (rowid=?)"},
		"read keys":         {freshQuery, "INTEGER PRIMARY KEY (rowid>?)"},
		"forget silences":   {forgetSilences, "SEARCH silences USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
		"await":             {recordQuery, "(id=?)"},
		"unhandled":         {unhandledQuery, "inbox_handled (handled=?)"},
		"prune":             {pruneInbox, "inbox_handled (handled=? AND received_at<?)"},
		"one incident":      {incidentQuery, "(id=?)"},
		"retry":             {revivedAlerts, "alerts_shown (shown=?)"},
		"drop":              {droppedAlerts, "alerts_shown (shown=?)"},
		"retry all":         {nextDeadLetters, "deliveries_dead (n>?)"},
		"wait":              {waitQuery, "deliveries_card (incident=? AND lane=?)"},
		"one letter":        {deliveryQuery, "(id=?)"},
		"its alerts":        {storyQuery, "alerts_shown (shown=?)"},
		"forget alerts":     {forgetAlerts, "SEARCH alerts USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
		"forget deliveries": {forgetDeliveries, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
		"forget incidents":  {forgetIncidents, "SEARCH incidents USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
		"look for old":      {lookAlerts, "SEARCH alerts USING INTEGER PRIMARY KEY (rowid>?)"},
		"old letters":       {oldDeadLetters, "deliveries_dead"},
		"empty letter":      {forgetDeadAlerts, "alerts_shown (shown=?)"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := explain(t, d, c.query)
			if !strings.Contains(plan, c.index) {
				t.Errorf("doesn't use %s:\n%s", c.index, plan)
			}
			for line := range strings.Lines(plan) {
				if strings.Contains(line, "SCAN") && !strings.Contains(line, "json_each") && !strings.Contains(line, "SCAN i\n") && !strings.Contains(line, "SCAN q\n") && !strings.Contains(line, "SCAN waiting\n") && !strings.Contains(line, "SCAN latest_upto\n") &&
					!strings.Contains(line, "SCAN CONSTANT ROW\n") && !strings.Contains(line, "SCAN s\n") && !strings.Contains(line, "SCAN p\n") {
					t.Errorf("scans: %s", line)
				}
				if strings.Contains(line, "TEMP B-TREE") && strings.HasPrefix(name, "claim") {
					t.Errorf("sorts: %s", line)
				}
			}
		})
	}
}

func explain(t *testing.T, d *DB, query string) string {
	t.Helper()
	rows, err := d.readers.Query("EXPLAIN QUERY PLAN "+d.dialect.rewrite(query), make([]any, strings.Count(d.dialect.rewrite(query), "?"))...)
	must(t, err)
	var plan strings.Builder
	must(t, scanAll(rows, func(s scanner) error {
		var detail string
		err := s.Scan(new(int), new(int), new(int), &detail)
		plan.WriteString(detail + "\n")
		return err
	}))
	return plan.String()
}
