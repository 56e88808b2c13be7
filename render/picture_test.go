package render

import (
	"bytes"
	"image/png"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/alert"
)

func statsOf(counts ...int64) alert.Stats {
	s := alert.Stats{From: at("00:00:00")}
	for n, count := range counts {
		s.Buckets = append(s.Buckets, alert.Bucket{At: s.From.Add(time.Duration(n) * time.Hour), BySeverity: map[alert.Severity]int64{alert.Error: count}})
	}
	s.Until = s.From.Add(time.Duration(len(counts)) * time.Hour)
	return s
}

func TestAPictureIsDrawnOfWhateverHappened(t *testing.T) {
	for name, s := range map[string]alert.Stats{
		"a day": dayOfStats(), "nothing": statsOf(0, 0, 0), "one hour": statsOf(1), "a flood": statsOf(1e15, 3), "a week": statsOf(make([]int64, 168)...),
	} {
		t.Run(name, func(t *testing.T) {
			picture, err := Picture(s, nil)
			if err != nil {
				t.Fatal(err)
			}
			drawn, err := png.Decode(bytes.NewReader(picture))
			if err != nil {
				t.Fatal(err)
			}
			if size := drawn.Bounds().Size(); size.X != pictureWidth || size.Y != pictureHeight {
				t.Errorf("the picture is %v", size)
			}
			if len(picture) > 200_000 {
				t.Errorf("the picture has %d bytes", len(picture))
			}
		})
	}
	if _, err := Picture(alert.Stats{}, nil); err == nil {
		t.Error("a picture of no time at all was drawn")
	}
}

func TestWhoCannotSeeThePictureIsToldItsNumbers(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	text := PictureText(statsOf(0, 2, 0, 7), berlin)
	if want := "Alerts per hour, Europe/Berlin: 9 error. 02:00 2 error. 04:00 7 error."; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
	if text := PictureText(statsOf(0, 0), berlin); text != "No alerts." {
		t.Errorf("got %q", text)
	}
	long := PictureText(statsOf(rising(168)...), berlin)
	if n := utf8.RuneCountInString(long); n > maxAlt || !strings.HasSuffix(long, "And more.") {
		t.Errorf("%d characters: %q", n, long)
	}
}

func rising(n int) []int64 {
	counts := make([]int64, n)
	for at := range counts {
		counts[at] = int64(at + 1)
	}
	return counts
}

func TestManyHoursBecomeFewBarsThatLoseNoAlert(t *testing.T) {
	for _, n := range []int{1, 12, 20, 21, 23, 24, 25, 48, 168, 997} {
		var want, got int64
		s := statsOf(rising(n)...)
		for _, b := range s.Buckets {
			want += b.BySeverity[alert.Error]
		}
		few := merged(s.Buckets, maxPoints)
		for _, b := range few {
			got += b.BySeverity[alert.Error]
		}
		if got != want || len(few) > maxPoints || !few[0].At.Equal(s.From) {
			t.Errorf("%d hours: %d bars with %d alerts, want at most %d with %d", n, len(few), got, maxPoints, want)
		}
	}
}

func TestHoursKeepTheirNamesApartWhenClocksAreSetBack(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	s := statsOf(1, 1, 1, 1)
	for n := range s.Buckets {
		s.Buckets[n].At = time.Date(2026, 10, 24, 23+n, 0, 0, 0, time.UTC)
	}
	if got := strings.Join(labels(s.Buckets, s.Until, berlin), " "); got != "01:00 02:00 02:00 (2) 03:00" {
		t.Errorf("got %s", got)
	}
}
