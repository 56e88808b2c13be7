package bot

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

func TestEachCodeHasItsClass(t *testing.T) {
	for class, codes := range map[alert.Class]string{
		alert.ClassAuth:        "not_authed invalid_auth account_inactive token_revoked token_expired missing_scope ekm_access_denied unknown_method",
		alert.ClassDestination: "channel_not_found not_in_channel is_archived is_inactive restricted_action messages_tab_disabled users_not_found slack_connect_blocked",
		alert.ClassPayload:     "invalid_blocks msg_too_long no_text metadata_too_large block_mismatch view_too_large hash_conflict expired_trigger_id",
		alert.ClassThread:      "cannot_reply_to_message thread_not_found restricted_action_thread_locked",
		alert.ClassGone:        "message_not_found cant_update_message edit_window_closed",
		alert.ClassThrottled:   "ratelimited rate_limited message_limit_exceeded",
		alert.ClassTransient:   "service_unavailable request_timeout team_added_to_org streaming_state_conflict",
		alert.ClassUnsure:      "internal_error fatal_error update_failed",
		alert.ClassUnknown:     "a_code_of_next_year",
	} {
		for code := range strings.FieldsSeq(codes) {
			if got := classOf(code); got != class {
				t.Errorf("%s is %s, want %s", code, got, class)
			}
		}
	}
}

func TestRetryAfterIsReadWhateverItSays(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, " 30 ": 30 * time.Second, "": time.Second, "0": time.Second, "-4": time.Second, "soon": time.Second, "1.5": time.Second,
		"Fri, 02 Jan 2026 03:04:25 GMT": 20 * time.Second, "Fri, 02 Jan 2026 03:00:00 GMT": time.Second,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	if got := retryAfter(nil, now); got != time.Second {
		t.Errorf("no header: %s", got)
	}
}

func TestBackoffDoublesToHalfAMinuteAndStartsAnewAfterALongLife(t *testing.T) {
	var b backoff
	var ceilings []time.Duration
	for range 9 {
		ceilings = append(ceilings, b.ceiling())
		if wait := b.next(); wait < 0 || wait >= ceilings[len(ceilings)-1] {
			t.Errorf("wait %s under a ceiling of %s", wait, ceilings[len(ceilings)-1])
		}
	}
	want := []time.Duration{500e6, 1e9, 2e9, 4e9, 8e9, 16e9, 30e9, 30e9, 30e9}
	for i := range want {
		if ceilings[i] != want[i] {
			t.Errorf("ceiling %d is %s, want %s", i, ceilings[i], want[i])
		}
	}
	b.lived(29 * time.Second)
	if b.ceiling() != backoffMost {
		t.Error("a short life counts as a good one")
	}
	b.lived(stableAfter)
	if b.ceiling() != backoffFirst {
		t.Error("a long life does not start it anew")
	}
}

func TestClipNeverCutsInsideAnEntityOrALink(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"short", 5, "short"},
		{"überlang", 5, "über…"},
		{"a &amp; b", 5, "a …"},
		{"a &amp; b", 8, "a &amp;…"},
		{"see <https://x.example|here> now", 12, "see …"},
		{"see <u|x> now", 12, "see <u|x> n…"},
	} {
		if got := clip(c.text, c.n); got != c.want {
			t.Errorf("clip(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}
