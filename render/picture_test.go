package render

import (
	"bytes"
	"image"
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
	s.Until = s.Buckets[3].At.Add(time.Hour)
	if got := strings.Join(labels(s.Buckets, s.Until, berlin), " "); got != "01:00 02:00 02:00 (2) 03:00" {
		t.Errorf("got %s", got)
	}
}

func TestADayHasTheNameOfItsDate(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for now, want := range map[time.Time]string{
		time.Date(2026, 11, 28, 0, 30, 0, 0, berlin):  "Alerts per day, Europe/Berlin: 2 error. Sun 22 Nov 1 error. Sat 28 Nov 1 error.",
		time.Date(2026, 10, 28, 18, 30, 0, 0, berlin): "Alerts per day, Europe/Berlin: 2 error. Thu 22 Oct 1 error. Wed 28 Oct 1 error.", // one has 25 hours
	} {
		begins := alert.Parts(7*24*time.Hour, now)
		s := alert.Stats{From: begins[0], Until: now}
		for _, at := range begins[:7] {
			s.Buckets = append(s.Buckets, alert.Bucket{At: at, BySeverity: map[alert.Severity]int64{}})
		}
		s.Buckets[0].BySeverity[alert.Error], s.Buckets[6].BySeverity[alert.Error] = 1, 1
		if got := PictureText(s, berlin); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := Stats(s, Chart{}).Text; !strings.Contains(got, "Alerts of 7 days") {
			t.Errorf("it says %q", got)
		}
	}
}

func TestTheTimesOfAPictureAreUnderTheirBars(t *testing.T) {
	counts := make([]int64, 24)
	for n := range counts {
		if n%3 == 0 {
			counts[n] = 5 // as many times have room
		}
	}
	body, err := Picture(statsOf(counts...), nil)
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := png.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	const left = 45 // the numbers of the other axis are there
	bars := middles(drawn, left, pictureHeight-90, pictureHeight-70, func(r, g, b uint32) bool { return r > 200 && b < 90 })
	times := middles(drawn, left-20, pictureHeight-48, pictureHeight-25, func(r, g, b uint32) bool { return r > 150 && g > 150 && b > 150 })
	if len(bars) != 8 || len(times) != len(bars) {
		t.Fatalf("%d bars and %d times", len(bars), len(times))
	}
	for n := range bars {
		if apart := bars[n] - times[n]; apart < -6 || apart > 6 {
			t.Errorf("time %d is at %d, its bar at %d", n, times[n], bars[n])
		}
	}
}

// middles are the middles of what is drawn in a colour between two lines, from left to
// right. What is less than 20 pixels apart is one.
func middles(drawn image.Image, left, top, bottom int, is func(r, g, b uint32) bool) []int {
	var all []int
	from, last := -1, -1
	for x := left; x < pictureWidth; x++ {
		for y := top; y < bottom; y++ {
			r, g, b, _ := drawn.At(x, y).RGBA()
			if !is(r>>8, g>>8, b>>8) {
				continue
			}
			if from >= 0 && x-last >= 20 {
				all, from = append(all, (from+last)/2), -1
			}
			if last = x; from < 0 {
				from = x
			}
			break
		}
	}
	if from >= 0 {
		all = append(all, (from+last)/2)
	}
	return all
}
