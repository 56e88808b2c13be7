package playground

import "testing"

func TestABareNameNeverLinksAPrivateChannel(t *testing.T) {
	w := newWebTest(t, NoLimits())
	r := w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "#ops #secret @ann", "link_names": "true"})
	if got, want := r.str("message.text"), "<#C0OPS|ops> #secret <@U0ANN>"; got != want {
		t.Errorf("the text became %q, want %q", got, want)
	}
}
