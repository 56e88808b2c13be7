package bot

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// listed are the codes of docs/slack.md §2.7 by class, and those of the methods we
// call that it leaves out.
var listed = map[alert.Class]string{
	alert.ClassAuth: `not_authed invalid_auth account_inactive token_revoked token_expired not_allowed_token_type missing_scope
		no_permission access_denied accesslimited app_access_restricted two_factor_setup_required enterprise_is_restricted
		ekm_access_denied deprecated_endpoint method_deprecated unknown_method is_bot link_disabled team_access_not_granted`,
	alert.ClassDestination: `channel_not_found not_in_channel is_archived is_inactive restricted_action
		restricted_action_read_only_channel restricted_action_thread_only_channel messages_tab_disabled user_not_found
		users_not_found user_disabled user_not_visible cannot_dm_bot user_not_in_channel team_not_found
		channel_is_limited_access posting_to_channel_denied too_many_members slack_connect_blocked
		slack_connect_file_link_sharing_blocked`,
	alert.ClassPayload: `invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long no_text msg_blocks_too_many
		too_many_attachments too_many_contact_cards missing_file_data attachment_payload_limit_exceeded invalid_attachments
		invalid_metadata_format invalid_metadata_schema metadata_too_large metadata_must_be_sent_from_app
		markdown_text_conflict block_mismatch invalid_arguments invalid_arg_name invalid_array_arg invalid_form_data
		invalid_charset invalid_post_type missing_post_type invalid_json json_not_object view_too_large
		duplicate_external_id missing_args
		expired_trigger_id exchanged_trigger_id trigger_expired trigger_exchanged hash_conflict not_found`,
	alert.ClassThread: `cannot_reply_to_message restricted_action_thread_locked restricted_action_non_threadable_channel
		thread_not_found`,
	alert.ClassGone:      "message_not_found cant_update_message edit_window_closed",
	alert.ClassThrottled: "ratelimited rate_limited message_limit_exceeded",
	alert.ClassTransient: `service_unavailable request_timeout team_added_to_org org_login_required external_channel_migrating
		streaming_state_conflict`,
	alert.ClassUnsure:  "internal_error fatal_error update_failed",
	alert.ClassUnknown: "a_code_of_next_year",
}

func TestEachCodeThatSlackAnswersHasItsClass(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	for class, codes := range listed {
		for code := range strings.FieldsSeq(codes) {
			t.Run(code, func(t *testing.T) {
				slack.ClearFaults()
				if err := slack.SetFault(playground.Fault{Kind: playground.FaultError, Error: code}); err != nil {
					t.Fatal(err)
				}
				_, err := b.Send(t.Context(), delivery(alert.Post, "C0PGALERTS"))
				fail, ok := errors.AsType[*alert.SendError](err)
				if !ok || fail.Class != class || fail.Code != code {
					t.Errorf("got %v, want the class %s", err, class)
				}
			})
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
	b.connectedFor(29 * time.Second)
	if b.ceiling() != backoffMost {
		t.Error("a short life counts as a good one")
	}
	b.connectedFor(stableAfter)
	if b.ceiling() != backoffFirst {
		t.Error("a long life does not start it again")
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
