package ingest

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkNastyJSON is the time that each format, and recognizing one, takes for 1 MiB of
// JSON that says nothing, until its alerts could be stored.
func BenchmarkNastyJSON(b *testing.B) {
	const room = 1<<20 - 100
	fill := func(begin, part, end string) string { return begin + strings.Repeat(part, room/len(part)) + end }
	var keys strings.Builder
	for n := range mostValues - 10 {
		fmt.Fprintf(&keys, `,"%012x":1`, n)
	}
	list := func(begin, part, end string) string {
		return begin + strings.Repeat(part+",", mostItems-100) + part + end
	}
	custom, _ := custom(b, "each", "body.alerts", "title", "item.title", "labels", "item")
	all := append(Formats(), custom.Format())
	for name, body := range map[string]string{
		"brackets":             strings.Repeat("[", room),
		"values":               `{"alerts":[` + strings.Repeat("1,", mostValues-10) + `1],"status":"firing"}`,
		"lists":                `{"alerts":[{"labels":[` + strings.Repeat("[],", mostValues-10) + `[]]}]}`,
		"keys":                 `{"alerts":[{"labels":{"a":1` + keys.String() + `}}]}`,
		"escapes":              fill(`{"alerts":[{"labels":{"a":"`, `\ud83d\ude00`, `"}}]}`),
		"surrogates":           fill(`{"alerts":[{"labels":{"a":"`, `\ud83d`, `"}}]}`),
		"one string":           fill(`{"name":"x","slug":"`, "x", `"}`),
		"one number":           fill(`{"alerts":[{"labels":{"a":`, "9", `}}]}`),
		"text":                 fill(`{"text":"`, "9", `","status":"firing"}`),
		"angles":               fill(`{"text":"`, "<", `"}`),
		"stars":                fill(`{"text":"`, "(* ", `"}`),
		"links":                fill(`{"text":"`, "<https://a|b> ", `"}`),
		"escapes of terminals": fill(`{"status":"firing","alerts":[{"labels":{"a":"`, `\u001b[`, `"}}]}`),
		"alerts":               list(`{"alerts":[`, `{"labels":{"alertname":"Disk","instance":"db-3","severity":"critical"}}`, `]}`),
		"no times":             list(`{"alerts":[`, `{"labels":{"a":"b"},"startsAt":"soon","endsAt":"q","generatorURL":"x"}`, `]}`),
		"misfits":              list(`{"alerts":[`, `{"labels":{"a":"b"}}`, `,1],"attachments":[1]}`),
		"fields":               list(`{"attachments":[{"fields":[`, `{"title":"a","value":"b"}`, list(`]},{"fields":[`, `{"title":"c","value":"d"}`, `]}]}`)),
	} {
		for _, f := range all {
			b.Run(name+"/"+f.Name, func(b *testing.B) {
				for b.Loop() {
					in, _ := f.Read(request([]byte(body))) // that it is not understood is as good
					for n := range in.Alerts {
						_ = in.Alerts[n].Prepare(noon) // so is that it is refused
					}
				}
			})
		}
		b.Run(name+"/recognize", func(b *testing.B) {
			for b.Loop() {
				Recognize(request([]byte(body)))
			}
		})
	}
}
