package api

import (
	"reflect"
	"testing"
	"unicode/utf8"
)

func TestTheUsualFormOfAnAlertNeedsNoSecondReading(t *testing.T) {
	for _, body := range []string{
		`{}`, ` { "title" : "a" , "text" : "b" } ` + "\n", `{"title":"tab\tquote\" \u00e9\ud83d\ude00 \\"}`,
		`{"source":"cron","key":"k","status":"firing","severity":"info","channel":"#ops","mention":"ann","idempotency_key":"i","labels":{"a":"1","b":"\\"}}`,
	} {
		if _, ok := scanAlert([]byte(body)); !ok {
			t.Errorf("%s is read twice", body)
		}
	}
}

func FuzzScanAlertReadsWhatEncodingJSONReads(f *testing.F) {
	for _, s := range []string{
		`{"title":"a"}`, `{"title":"a","labels":{"x":"1","x":"2"},"title":"b"}`, `{"labels":{"a":"1"},"labels":{"b":"2"}}`, `{"labels":{}}`,
		`{"title":"a"}` + "\x00", `{"title":"a",}`, `{"title":"\ud800"}`, `{"title":"\q"}`, `{"title":"a`, `{"title":"a\`, `{"title":null}`, `{"Title":"a"}`,
		`{"title":"a"} {"title":"b"}`, `{"labels":{"a":1}}`, "{\"title\":\"a\nb\"}", `{"":""}`, `{"title" "a"}`, `[]`, ``,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		scanned, ok := scanAlert([]byte(body))
		if !ok || !utf8.ValidString(body) {
			return
		}
		want, err := decodeFields([]byte(body))
		if err != nil {
			t.Fatalf("%q was read, but %v", body, err)
		}
		if !reflect.DeepEqual(scanned, want) {
			t.Errorf("%q was read as %+v, not %+v", body, scanned, want)
		}
	})
}
