package alert

import (
	"strings"
	"testing"
)

func TestATraceparentIsReadAsTheSpecificationSays(t *testing.T) {
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	const good = "00-" + trace + "-" + span
	for header, want := range map[string]Traceparent{
		good + "-01": good + "-01",
		good + "-00": good + "-00",
		"cc-" + trace + "-" + span + "-01-what-comes-later": good + "-01",
		"cc-" + trace + "-" + span + "-01":                  good + "-01",

		"":                                  "",
		"-":                                 "",
		good:                                "",
		good + "-":                          "",
		good + "-1":                         "",
		good + "-01-":                       "",
		good + "-01-more":                   "",
		good + "-0g":                        "",
		" " + good + "-01":                  "",
		good + "-01\n":                      "",
		strings.ToUpper(good) + "-01":       "",
		"ff-" + trace + "-" + span + "-01":  "",
		"0-0" + trace + "-" + span + "-01":  "",
		"000" + trace + "-" + span + "-01":  "",
		"cc-" + trace + "-" + span + "-01.": "",
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":  "",
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01": "",
		"00-" + trace + "0" + span + "-01-":                   "",
		"00-" + trace[:31] + "-0" + span + "-01":              "",
		"00-" + strings.Repeat("é", 16) + "-" + span + "-01":  "",
		strings.Repeat("-", 55):                               "",
		strings.Repeat("0", 10_000):                           "",
	} {
		got := ParseTraceparent(header)
		if got != want {
			t.Errorf("%q is read as %q, want %q", header, got, want)
		}
		if want != "" && (got.TraceID() != trace || got.Parent() != span || got.Sampled() != strings.HasSuffix(string(want), "1")) {
			t.Errorf("%q is trace %s, span %s, sampled %t", header, got.TraceID(), got.Parent(), got.Sampled())
		}
	}
}

func TestATracestateIsReadAsTheSpecificationSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		headers []string
		want    Tracestate
	}{
		{nil, ""},
		{[]string{"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"}, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"},
		{[]string{"rojo=1", " congo=2 ,,\tfw529a3039@dt=FfAA=="}, ""}, // = in a value
		{[]string{"rojo=1", " congo=2 ,,\tfw529a3039@dt=Ff A;"}, "rojo=1,congo=2,fw529a3039@dt=Ff A;"},
		{[]string{"Rojo=1"}, ""},
		{[]string{"rojo"}, ""},
		{[]string{"rojo="}, ""},
		{[]string{"rojo=\x00"}, ""},
		{[]string{"rojo=é"}, ""},
		{[]string{"a=" + strings.Repeat("x", 256), "b=" + strings.Repeat("x", 256)}, ""}, // too long
		{[]string{strings.Repeat("a=1,", 32)}, Tracestate(strings.TrimSuffix(strings.Repeat("a=1,", 32), ","))},
		{[]string{strings.Repeat("a=1,", 33)}, ""},
	} {
		if got := ParseTracestate(c.headers); got != c.want {
			t.Errorf("%q is read as %q, want %q", c.headers, got, c.want)
		}
	}
}

func FuzzParseTraceparent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x")
	f.Fuzz(func(t *testing.T, header string) {
		if got := ParseTraceparent(header); got != "" && ParseTraceparent(string(got)) != got {
			t.Errorf("%q is read as %q, which is not a traceparent", header, got)
		}
	})
}
