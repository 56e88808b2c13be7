package outbox

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBucketNeverGivesMoreThanBurstPlusRateInAnyWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := bucket{every: time.Second, burst: rapid.IntRange(1, 6).Draw(t, "burst")}
		now := noon
		var taken []time.Time
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond)
			if !b.at(now, 0).After(now) {
				b.spend(now)
				taken = append(taken, now)
			}
		}
		for i, from := range taken {
			for n, to := range taken[i:] {
				if most := b.burst + int(to.Sub(from)/b.every); n+1 > most {
					t.Fatalf("%d in %v, at most %d", n+1, to.Sub(from), most)
				}
			}
		}
	})
}

func TestBucketIsPunctual(t *testing.T) {
	b := bucket{every: time.Second, burst: 2}
	b.spend(noon)
	if at := b.at(noon, 0); at.After(noon) {
		t.Fatalf("second of a burst of two at %v", at)
	}
	b.spend(noon)
	if at := b.at(noon, 0); !at.Equal(noon.Add(time.Second)) {
		t.Fatalf("third at %v, want a second later", at)
	}
}

func TestPausedBucketGivesOneTokenAtTheEnd(t *testing.T) {
	b, until := bucket{every: time.Second, burst: 5}, noon.Add(time.Minute)
	b.pause(until)
	if at := b.at(noon, 0); !at.Equal(until) {
		t.Fatalf("first at %v, want %v", at, until)
	}
	if at := b.at(noon, 1); !at.Equal(until.Add(time.Second)) {
		t.Fatalf("second at %v, want a second after %v", at, until)
	}
}

func TestPacerServesFirstComeFirst(t *testing.T) {
	p := &pacer{bucket: bucket{every: time.Second, burst: 1}}
	first, second := make(chan struct{}, 1), make(chan struct{}, 1)
	taken := make(chan struct{}, 1)
	if ok, _ := p.acquire(noon, taken); !ok {
		t.Fatal("a full pacer refused")
	}
	_, at := p.acquire(noon, first)
	_, later := p.acquire(noon, second)
	if at.Sub(noon) != time.Second || later.Sub(noon) != 2*time.Second {
		t.Fatalf("asked to come again after %v and %v", at.Sub(noon), later.Sub(noon))
	}
	if ok, _ := p.acquire(at, second); ok {
		t.Fatal("the second overtook the first")
	}
	if ok, _ := p.acquire(at, first); !ok {
		t.Fatal("the first was refused at its time")
	}
	if ok, _ := p.acquire(later, second); !ok {
		t.Fatal("the second was refused at its time")
	}
}

func TestPacerWakesTheNextWhenATokenComesBack(t *testing.T) {
	p := &pacer{bucket: bucket{every: time.Second, burst: 1}}
	user, waiting, behind := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	p.acquire(noon, user)
	p.acquire(noon, waiting)
	p.acquire(noon, behind)
	p.giveBack()
	if len(waiting) != 1 || len(behind) != 0 {
		t.Fatalf("told the first %d times and the one behind %d times", len(waiting), len(behind))
	}
	p.leave(waiting)
	if len(behind) != 1 {
		t.Fatal("who moved up to the front was not told")
	}
	if ok, _ := p.acquire(noon, behind); !ok {
		t.Fatal("the token that came back is lost")
	}
}

func TestBusyWaiterLetsOthersPassAndKeepsItsPlace(t *testing.T) {
	p := &pacer{bucket: bucket{every: time.Second, burst: 1}}
	user, slow, behind := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	p.acquire(noon, user)
	p.acquire(noon, slow)
	p.acquire(noon, behind)
	p.letOthersPass(slow)
	if len(behind) != 1 {
		t.Fatal("who may pass was not told")
	}
	if ok, _ := p.acquire(noon.Add(time.Second), behind); !ok {
		t.Fatal("the busy one is in the way")
	}
	p.acquire(noon.Add(time.Second), behind)
	if ok, _ := p.acquire(noon.Add(2*time.Second), slow); !ok {
		t.Fatal("the busy one lost its place")
	}
}

func TestAfterAPauseLooksTakeTurns(t *testing.T) {
	looks := lookTimes{bucket: bucket{every: lookPace, burst: lookBurst}}
	var had time.Time
	for range 500 {
		if had = looks.next(noon, time.Time{}); had.After(noon) {
			t.Fatalf("a look has to wait until %v although Slack has not asked for it", had)
		}
	}
	end := noon.Add(time.Minute)
	looks.pause(end)
	if again := looks.next(noon, had); !again.Equal(end) {
		t.Errorf("a time from before the pause is %v, want its end", again)
	}
	for n := 1; n < 100; n++ {
		at := looks.next(noon, time.Time{})
		if want := end.Add(time.Duration(n) * lookPace); !at.Equal(want) {
			t.Fatalf("look %d is %v after the pause, want %v", n, at.Sub(end), want.Sub(end))
		}
		if kept := looks.next(noon, at); !kept.Equal(at) {
			t.Fatalf("look %d was moved by %v", n, kept.Sub(at))
		}
	}
}
