package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tocsin/alert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSQLiteKeepsItsWord(t *testing.T) {
	suite(t, openTemp)
}

// openTemp opens a new SQLite store that the test closes.
func openTemp(t *testing.T) *DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin.db")
	must(t, os.WriteFile(path, emptyStore(t), 0o600))
	return reopen(t, "sqlite:"+path)
}

// emptyStore is the file of a store that holds nothing yet, which is much quicker to copy than
// to make.
func emptyStore(t *testing.T) []byte {
	t.Helper()
	file, err := makeEmptyStore()
	must(t, err)
	return file
}

var makeEmptyStore = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "tocsin-store-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "tocsin.db")
	d, err := Open(context.Background(), "sqlite:"+path, Options{})
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// reopen opens a store that the test closes. It is patient: under the race detector, on a
// busy machine, a large read takes longer than a daemon would wait.
func reopen(t *testing.T, url string) *DB {
	t.Helper()
	return reopenAnswering(t, url, time.Minute)
}

// reopenAnswering is reopen for a store that answers within this time.
func reopenAnswering(t *testing.T, url string, within time.Duration) *DB {
	t.Helper()
	d, err := Open(t.Context(), url, Options{AnswerWithin: within})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// suite is what every engine has to do.
func suite(t *testing.T, open func(t *testing.T) *DB) {
	for name, test := range map[string]func(t *testing.T, d *DB){
		"an incident comes back as it was written":            testIncidentRoundTrip,
		"a record comes back as it was written":               testRecordRoundTrip,
		"an incident that is worded keeps its words":          testWorded,
		"an incident of another one's alert has its words":    testApart,
		"a stale version conflicts and writes nothing":        testConflict,
		"load finds the latest incident of each route":        testLatest,
		"load knows accepted idempotency keys":                testSeen,
		"a used idempotency key conflicts":                    testIdempotencyConflict,
		"incidents come worst first, then latest first":       testBoard,
		"incidents are found by words, age and the latest":    testSearch,
		"a notice is in no list, search or statistics":        testNotice,
		"an incident is found by its card, or by its digest":  testIncidentAt,
		"a lane is claimed by priority, then by acceptance":   testClaimOrder,
		"an incident never overtakes itself":                  testNoOvertaking,
		"a head that must wait holds its lane":                testHeadWaits,
		"a clock that was put back holds up nothing":          testClockPutBack,
		"a retry ends the wait for Slack and no other":        testClaimRetry,
		"a start tries what was throttled once":               testClaimAfterAStart,
		"a digest after an outage includes what was tried":    testDigestRetry,
		"a job in doubt says whether others wait behind it":   testFollowed,
		"kinds can be claimed apart":                          testKinds,
		"a claimed delivery comes back unsure":                testUnsure,
		"one in doubt is claimed at once by an earlier clock": testClockPutBackInDoubt,
		"a job carries the newest state, the card and the id": testJob,
		"an update is left out while an earlier one waits":    testUpdateLeftOut,
		"pending notes of an incident are one reply":          testNotesFold,
		"a later text replaces what waits of an earlier one":  testLaterText,
		"a reply is as old as its oldest note":                testFoldedAge,
		"a note does not make a reply wait for the future":    testFoldedIntoTheFuture,
		"what is undone before it was sent is not sent":       testNotesUndone,
		"a reply that is being sent stays as it is":           testNotesBeingSent,
		"posts go before quiet replies, which get a turn":     testQuietReplies,
		"a critical incident goes to the front":               testHurry,
		"a delivered post accounts for its alerts":            testDelivered,
		"what adds nothing is folded into the card":           testFoldedAtOnce,
		"a dead post buries its alerts":                       testDeadPost,
		"a dead update buries only what nothing will show":    testDeadUpdate,
		"a superseded update folds what the card shows":       testSuperseded,
		"a retry keeps what the last attempt learned":         testRetryKeeps,
		"a job in doubt that is sent again started then":      testSentAgain,
		"a broken destination is remembered until mended":     testDestination,
		"a fallback that is mended ends the waiting for it":   testFallbackMended,
		"where an attempt went and a card is are remembered":  testVia,
		"a reply can have a new card come first":              testCardFirst,
		"what the last resort took is stranded no more":       testStranded,
		"dead letters are reported once":                      testUnreportedDeadLetters,
		"a retry keeps its place":                             testRetry,
		"a possible duplicate is counted once":                testPossibleDuplicate,
		"finishing again the same way changes nothing":        testFinishTwice,
		"waiting ends when the alert is settled":              testAwait,
		"waiting ends with the context":                       testAwaitEnds,
		"waiting that ends tells the newest":                  testAwaitEndsWithTheNewest,
		"an envelope is fresh once":                           testInbox,
		"arrivals are decided once, in their order":           testArrivals,
		"large arrivals are read some at a time":              testLargeArrivals,
		"only old handled envelopes are pruned":               testPrune,
		"a retried dead letter is owed in its old place":      testRetryDead,
		"a retried one that may be shown is looked for":       testRetryUnsure,
		"a retried post goes before what came after it":       testRetryBefore,
		"a dropped dead letter stays dead, by a person":       testDrop,
		"only a dead letter is retried":                       testNotDead,
		"a pending delivery is dropped, by a person":          testDropPending,
		"a pending digest is dropped with its posts":          testDropDigest,
		"all dead letters of a lane are retried":              testRetryAll,
		"deliveries are listed by state and lane":             testDeliveries,
		"a delivery is shown with its incident and alerts":    testLetter,
		"what is over and old is forgotten, and counted":      testRetention,
		"what is owed, open or dead is never forgotten":       testNeverForgotten,
		"a forgotten incident's key begins again":             testForgottenKey,
		"dead letters are forgotten only when they are to be": testDeadRetention,
		"a number is given once, whatever is forgotten":       testNumbers,
		"a home's hash is remembered":                         testHome,
		"the oldest delivery of a lane is found":              testOldestDelivery,
		"lanes with something owed are listed":                testLanes,
		"unknown things are not found":                        testNotFound,
		"a flood is one digest":                               testDigest,
		"a digest pings whom its cards would have":            testDigestPings,
		"a few posts, and new ones, are no flood":             testNoDigest,
		"a busy lane gathers two posts":                       testBusyLane,
		"criticals are a digest of their own, ahead":          testDigestOrder,
		"a claimed digest comes back unsure":                  testDigestUnsure,
		"what changes in a digest is one edit":                testDigestEdits,
		"what fires critical leaves its digest":               testDigestLeft,
		"what fires critical leaves a digest on its way":      testDigestLeftOnTheWay,
		"a dead digest is a dead letter for each":             testDigestDies,
		"a deleted digest is shown again":                     testDigestAnew,
		"a digest shown again leaves other cards alone":       testDigestLeavesCardsAlone,
		"a digest that dies later leaves other cards alone":   testDeadDigestLeavesCardsAlone,
		"a long list is a file, or text where none is taken":  testDigestFile,
		"a list that says much is complete, in several files": testDigestFiles,
		"a digest that loses incidents to another is edited":  testDigestLeftForAnother,
		"a digest is none of the incidents that ids follow":   testDigestHasNoID,
		"each lane has its own digest":                        testDigestOfManyLanes,
		"statistics count what a time brought":                testStats,
		"statistics are divided into equal parts":             testStatsBuckets,
		"the noisiest keys are found among very many":         testStatsNoisiest,
		"latency is measured where something was shown":       testStatsLatency,
		"incidents are found by id":                           testNamed,
		"what began by a clock that was put back is found":    testAhead,
		"incidents are listed by matchers and person":         testBoardFiltered,
		"however many incidents are counted":                  testCountIsExact,
		"incidents are found by what inhibits them":           testInhibited,
		"what inhibits others is found":                       testSources,
		"incidents are found by when they are due":            testDue,
		"the open incidents are found, each once":             testOpen,
		"a decision gets the silences that hold":              testRulesSilences,
		"silences are listed, the latest first":               testSilences,
		"a changed silence keeps its count and its place":     testSilenceChanged,
		"a silence that ends wakes what it keeps quiet":       testSilenceWakes,
		"heartbeats are kept and found by when they are due":  testHeartbeats,
		"members of a group are kept and found":               testMembers,
		"a group is found by its members that fire":           testFoundByMembers,
		"a person resolves all members of a group":            testTurnedGroup,
		"a silence that ends wakes the members it hides":      testMembersWake,
		"inhibited members are left out and found":            testInhibitedMembers,
		"the card of an inhibited group names its members":    testAnInhibitedGroupNamesItsMembers,
		"members that inhibit others are found":               testSourceMembers,
		"the due members of one query are bounded":            testDueMembersAreBounded,
		"members that templates see are few":                  testMembersThatTemplatesSee,
		"a card and a reply get members of their group":       testClaimedGroup,
		"members go with their incident":                      testMembersForgotten,
		"subscriptions are kept, each once":                   testSubscriptions,
		"a silenced alert is counted by its silence":          testHidden,
		"history is told in order, with that of silences":     testHistory,
		"history goes with its incident":                      testHistoryForgotten,
		"an act is known by its name, and done once":          testOnce,
		"a held alert is delivered by the later post":         testHeld,
		"what will never be shown is silenced":                testHushed,
		"a held alert outlives a reply":                       testHeldReply,
		"what is held or silenced is not forgotten":           testHeldNeverForgotten,
		"a reply beside the thread stays one":                 testTopLevel,
		"what must be said comes behind a digest":             testSaidBehindDigest,
		"what must be said is said in a digest's thread":      testSaidInDigest,
		"what is silenced stays in its digest":                testSilencedStaysInDigest,
		"one asks for all of a digest":                        testAskedOnce,
		"a conversation under two names is one lane":          testTwoNames,
		"a digest does not overtake one in doubt":             testDigestOfTwoNames,
		"a renamed channel keeps its lane":                    testLearn,
		"a person's names are one lane, two people's are not": testPeopleStayTwo,
		"of two cards in one conversation the earlier stays":  testTwoCards,
		"what is being sent while lanes merge is sent once":   testInFlightWhileMerged,
		"one conversation has one broken mark":                testOneMark,
		"a post mends a conversation under all its names":     testPostMendsBoth,
		"a channel that is not found loses its aliases":       testForgotten,
		"waiting goes on when lanes merge":                    testAwaitMerged,
		"a decision on other aliases conflicts":               testStaleAliases,
		"dead letters are retried where their lane is now":    testDeadLettersMerged,
		"digests go on when lanes merge":                      testDigestsMerged,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// at is a moment of the tests' day.
func at(seconds int) time.Time {
	return time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC).Add(time.Duration(seconds) * time.Second)
}

func secondsLong(n int) time.Duration { return time.Duration(n) * time.Second }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustBe(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// incident is a small incident of one lane.
func incident(id, lane string, version int64) alert.Incident {
	return alert.Incident{
		ID: id, Key: "key-" + id, Route: alert.DefaultRoute, Version: version, State: alert.Open,
		Severity: alert.Error, Title: "disk full", Count: int(version),
		FirstAt: at(0), OpenedAt: at(0), LastAt: at(int(version)), Lanes: []string{lane},
	}
}

func delivery(i alert.Incident, kind alert.Kind, priority int) alert.Delivery {
	return alert.Delivery{
		ID: fmt.Sprintf("%s-%s-%d-%s", i.ID, kind, i.Version, alert.NewID()), Lane: i.Lanes[0], Kind: kind,
		State: alert.Pending, Incident: i.ID, Priority: priority, CreatedAt: at(0),
	}
}

func record(i alert.Incident, delivery string) alert.Record {
	return alert.Record{
		Alert: alert.Alert{ID: alert.NewID(), Key: i.Key, Status: alert.Firing, Severity: i.Severity,
			Source: i.Source, Title: i.Title, Text: i.Text, Labels: i.Labels, Links: i.Links, Images: i.Images, Format: i.Format, Mention: i.Mention,
			Annotations: i.Annotations, At: at(0), AcceptedAt: at(0)},
		Standing: alert.StandPending, Incident: i.ID, Lane: i.Lanes[0], Version: i.Version, Delivery: delivery,
	}
}

// fire is the change of one alert: the first opens a post, later ones an update.
func fire(i alert.Incident) alert.Change {
	kind, opened := alert.Update, ""
	if i.Version == 1 {
		kind = alert.Post
	}
	priority := 1
	if i.Severity == alert.Critical {
		priority = 0
	}
	d := delivery(i, kind, priority)
	if kind == alert.Post {
		opened = d.ID
	}
	return alert.Change{
		Alerts:     []alert.Record{record(i, opened)},
		Incidents:  []alert.Incident{i},
		Deliveries: []alert.Delivery{d},
	}
}

func commit(t *testing.T, d *DB, c alert.Change) alert.Change {
	t.Helper()
	must(t, d.Commit(t.Context(), c))
	return c
}

// claim claims whatever comes next in lane, and must find something.
func claim(t *testing.T, d *DB, lane string, now time.Time) alert.Job {
	t.Helper()
	job, next, err := d.Claim(t.Context(), alert.Claim{Lane: lane, Now: now, Posts: true, Updates: true})
	must(t, err)
	if job.ID == "" {
		t.Fatalf("lane %s has nothing to send, next at %v", lane, next)
	}
	return job
}

// idle checks that lane has nothing to send now, and returns when it will.
func idle(t *testing.T, d *DB, c alert.Claim) time.Time {
	t.Helper()
	job, next, err := d.Claim(t.Context(), c)
	must(t, err)
	if job.ID != "" {
		t.Fatalf("claimed %s %s, want nothing", job.Kind, job.ID)
	}
	return next
}

func finish(t *testing.T, d *DB, j alert.Job, state alert.DeliveryState, now time.Time) {
	t.Helper()
	must(t, d.Finish(t.Context(), outcome(j, state, now)))
}

func outcome(j alert.Job, state alert.DeliveryState, now time.Time) alert.Outcome {
	o := alert.Outcome{Delivery: j.ID, State: state, Now: now, Kind: j.Kind, Attempts: j.Attempts + 1}
	switch state {
	case alert.Delivered:
		o.Sent = alert.Sent{Conversation: conversationOf(j.Place()), TS: "100.1", Version: j.Incident.Version}
	case alert.Dead:
		o.Reason = "is_archived"
	}
	return o
}

// conversationOf is Slack's id of a lane: two lanes are two conversations.
func conversationOf(lane string) string {
	if lane == "#db" {
		return "C1"
	}
	return "C-" + lane
}

// standing is where an alert stands now.
func standing(t *testing.T, d *DB, c alert.Change) alert.Standing {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, _, err := d.record(ended, c.Alerts[0].ID)
	must(t, err)
	return r.Standing
}

func wantStanding(t *testing.T, d *DB, c alert.Change, want alert.Standing) {
	t.Helper()
	if got := standing(t, d, c); got != want {
		t.Errorf("alert of %s version %d is %s, want %s", c.Alerts[0].Incident, c.Alerts[0].Version, got, want)
	}
}

// column is one field of the ledger.
type column struct {
	lane     string
	standing alert.Standing
}

// balanced checks that the ledger agrees with the rows.
func balanced(t *testing.T, d *DB) alert.Ledger {
	t.Helper()
	l, err := d.Ledger(t.Context())
	must(t, err)
	rows := map[column]int64{}
	must(t, d.each(t.Context(), "SELECT l.name, a.standing, count(*) FROM alerts a JOIN lanes l ON l.n = a.lane GROUP BY l.name, a.standing",
		func(s scanner) error {
			var c column
			var n int64
			err := s.Scan(&c.lane, word(&c.standing), &n)
			rows[c] = n
			return err
		}))
	for _, lane := range l.Lanes {
		for standing, n := range byStanding(lane.Counts) {
			if got := rows[column{lane.Lane, standing}]; got != n {
				t.Errorf("ledger says %d %s in %s, the rows say %d", n, standing, lane.Lane, got)
			}
			delete(rows, column{lane.Lane, standing})
		}
	}
	if len(rows) > 0 {
		t.Errorf("the ledger misses %v", rows)
	}
	for _, missing := range missingRows() {
		must(t, d.each(t.Context(), missing[1], func(s scanner) error {
			var n int64
			err := s.Scan(&n)
			if n > 0 {
				t.Errorf("%s: %d", missing[0], n)
			}
			return err
		}))
	}
	return l
}

func byStanding(c alert.Counts) map[alert.Standing]int64 {
	return map[alert.Standing]int64{
		alert.StandPending: c.Pending, alert.StandDelivered: c.Delivered, alert.StandFolded: c.Folded,
		alert.StandSilenced: c.Silenced, alert.StandDead: c.Dead,
	}
}
