package playground

import (
	"strings"
	"testing"

	"tocsin/playground/blockkit"
)

func xs(n int) string { return strings.Repeat("x", n) }

func mrkdwnText(text string) string { return `{"type":"mrkdwn","text":"` + text + `"}` }

func chart(body string) string {
	return `{"type":"data_visualization","title":"` + xs(50) + `","chart":` + body + `}`
}

func TestChartsAreForMessagesOnly(t *testing.T) {
	w := newWebTest(t, NoLimits())
	pie := chart(`{"type":"pie","segments":[{"label":"a","value":1}]}`)
	w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "x", "blocks": "[" + pie + "]"})
	r := w.call("views.publish", form{"user_id": "U0ANN", "view": `{"type":"home","blocks":[` + pie + `]}`})
	if want := "unsupported type: data_visualization [json-pointer:/view/blocks/0/type]"; r.code() != "invalid_arguments" || !strings.Contains(r.raw, want) {
		t.Errorf("a Home tab with a chart: %s", r.raw)
	}
}

func TestABlockCanBeRefusedAsUnknown(t *testing.T) {
	w := newWebTest(t, NoLimits())
	if err := w.s.SetFault(Fault{Kind: FaultBlock, Block: "data_visualization"}); err != nil {
		t.Fatal(err)
	}
	blocks := form{"channel": "C0OPS", "text": "x", "blocks": "[" + chart(`{"type":"pie","segments":[{"label":"a","value":1}]}`) + "]"}
	if r := w.call("chat.postMessage", blocks); r.code() != "invalid_blocks" || !strings.Contains(r.raw, "unsupported type: data_visualization") {
		t.Errorf("answered %s", r.raw)
	}
	w.post("C0OPS", "anything else goes through")
	w.s.ClearFaults()
	w.ok("chat.postMessage", blocks)
	if err := w.s.SetFault(Fault{Kind: FaultBlock, Block: "table", Times: 1}); err == nil {
		t.Error("a fault of a block took a count it would not keep")
	}
}

func TestInvalidBlocksAnswerNamesEveryPlace(t *testing.T) {
	w := newWebTest(t, NoLimits())
	r := w.call("chat.postMessage", form{"channel": "C0OPS", "blocks": `[{"type":"section","text":` + mrkdwnText(xs(3001)) + `},{"type":"nope"}]`})
	errs, _ := r.body["errors"].([]any)
	marked, _ := r.at("response_metadata.messages").([]any)
	if len(errs) != 2 || len(marked) != 2 {
		t.Fatalf("got %s", r.raw)
	}
	if want := "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"; errs[0] != want || marked[0] != "[ERROR] "+want {
		t.Errorf("got %v, %v", errs[0], marked[0])
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add(`[{"type":"section","text":{"type":"mrkdwn","text":"a"}}]`)
	f.Add(`[{"type":"actions","elements":[{"type":"static_select","option_groups":[{"options":[null]}],"initial_options":[1]}]}]`)
	f.Add(`[{"type":"table","rows":[[{"type":"rich_text","elements":[{"type":"rich_text_list"}]}]]}]`)
	f.Add(`[{"type":"container","blocks":[{"type":"input","element":{"type":"checkboxes","confirm":[]}}]}]`)
	s := &Server{ws: newWorkspace("t", "T0PLAYGROUND", newManualClock().now())}
	f.Fuzz(func(t *testing.T, raw string) {
		blocks, err := decodeBlocks(raw)
		if err != nil {
			return
		}
		for _, where := range []blockkit.Surface{blockkit.Message, blockkit.Home, blockkit.Modal} {
			if len(blockkit.Blocks(where, blocks, blockkit.Options{})) == 0 && len(blocks) > 0 {
				_ = encodeJSON(s.normalizeBlocksLocked(blocks))
				_ = fallbackText(blocks)
			}
		}
		_ = encodeJSON(s.normalizeAttachmentsLocked(blocks))
	})
}
