package bot

import (
	"errors"
	"fmt"
	"strings"

	"tocsin/alert"
)

// ErrStale is wrapped by errors about a screen that has changed since (a spent
// trigger_id, a newer view): the person has to do it again.
var ErrStale = errors.New("the screen has changed since")

// classOf is the one table from Slack's error codes to what has to be done about
// them. Source: slack-facts §2.7, whose letters stand at the cases; codes are
// from Slack's reference per method.
func classOf(code string) alert.Class {
	switch code {
	case "not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type",
		"missing_scope", "no_permission", "access_denied", "accesslimited", "app_access_restricted", "team_access_not_granted",
		"two_factor_setup_required", "enterprise_is_restricted", "ekm_access_denied", "deprecated_endpoint",
		"method_deprecated", "unknown_method", "is_bot", "link_disabled": // A
		return alert.ClassAuth
	case "channel_not_found", "not_in_channel", "is_archived", "is_inactive", "restricted_action",
		"restricted_action_read_only_channel", "restricted_action_thread_only_channel", "messages_tab_disabled",
		"user_not_found", "users_not_found", "user_disabled", "user_not_visible", "cannot_dm_bot", "user_not_in_channel",
		"team_not_found", "channel_is_limited_access", "posting_to_channel_denied", "too_many_members": // B
		return alert.ClassDestination
	case "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text", "msg_blocks_too_many",
		"too_many_attachments", "too_many_contact_cards", "missing_file_data", "attachment_payload_limit_exceeded",
		"invalid_attachments", "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large",
		"metadata_must_be_sent_from_app", "markdown_text_conflict", "block_mismatch", "invalid_arguments",
		"invalid_arg_name", "invalid_array_arg", "invalid_form_data", "invalid_charset", "invalid_post_type",
		"missing_post_type", "invalid_json", "json_not_object", "view_too_large", "duplicate_external_id", "missing_args", // C
		"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "trigger_expired", "trigger_exchanged",
		"hash_conflict", "not_found", "not_enabled": // H
		return alert.ClassPayload
	case "cannot_reply_to_message", "restricted_action_thread_locked", "restricted_action_non_threadable_channel",
		"thread_not_found": // D
		return alert.ClassThread
	case "message_not_found", "cant_update_message", "edit_window_closed": // §2.4: the card can't be edited any more
		return alert.ClassGone
	case "ratelimited", "rate_limited", "message_limit_exceeded": // E
		return alert.ClassThrottled
	case "service_unavailable", "request_timeout", "team_added_to_org", "org_login_required",
		"external_channel_migrating", "streaming_state_conflict": // F
		return alert.ClassTransient
	case "internal_error", "fatal_error", "update_failed": // G
		return alert.ClassUnsure
	}
	if strings.HasPrefix(code, "slack_connect_") { // B
		return alert.ClassDestination
	}
	return alert.ClassUnknown
}

// stale says whether the code is about a screen that has changed (slack-facts
// §2.7 H).
func stale(code string) bool {
	switch code {
	case "expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "trigger_expired", "trigger_exchanged",
		"hash_conflict", "not_found":
		return true
	}
	return false
}

// hint says what a person can do about a code, or is empty.
func (c *call) hint(code string) string {
	where := c.where
	if where == "" {
		where = "the conversation"
	}
	switch classOf(code) {
	case alert.ClassAuth:
		return c.authHint(code)
	case alert.ClassDestination:
		return c.destinationHint(code, where)
	case alert.ClassThrottled:
		return "Slack asks for a pause; sending goes on by itself"
	}
	if code == "not_enabled" {
		return "switch on the Home tab in the app's settings, under App Home"
	}
	return ""
}

// appTokenHint is for every refusal of apps.connections.open.
const appTokenHint = "set SLACK_APP_TOKEN to an App-Level Token (xapp-…) with the scope connections:write, from Basic Information > App-Level Tokens, and switch on Socket Mode"

func (c *call) authHint(code string) string {
	if c.app {
		return appTokenHint
	}
	switch code {
	case "missing_scope":
		if c.answer.Needed == "" {
			return "add the missing scope under OAuth & Permissions, then reinstall the app"
		}
		return fmt.Sprintf("add the scope %s under OAuth & Permissions, then reinstall the app", c.answer.Needed)
	case "not_authed", "invalid_auth", "token_expired", "token_revoked", "account_inactive":
		return "set SLACK_BOT_TOKEN to the Bot User OAuth Token (xoxb-…) from the app's page OAuth & Permissions; if it is right, reinstall the app there"
	case "not_allowed_token_type":
		return "SLACK_BOT_TOKEN must be the Bot User OAuth Token (xoxb-…), not a user or app-level token"
	case "unknown_method":
		return "SLACK_API_URL points to something that is not all of Slack's Web API"
	}
	return "an admin of the workspace has to allow the app"
}

func (c *call) destinationHint(code, where string) string {
	switch code {
	case "not_in_channel":
		return fmt.Sprintf("in %s, type: /invite @%s", where, c.botName())
	case "channel_not_found":
		return fmt.Sprintf("check the spelling of %s; if it is private, type there: /invite @%s", where, c.botName())
	case "is_archived", "is_inactive":
		return fmt.Sprintf("%s is archived: unarchive it, or send elsewhere", where)
	case "restricted_action", "restricted_action_read_only_channel", "posting_to_channel_denied", "channel_is_limited_access":
		return fmt.Sprintf("let apps post in %s (its settings, posting permissions)", where)
	case "messages_tab_disabled":
		return "switch on the Messages tab in the app's settings, under App Home"
	case "user_not_found", "users_not_found", "user_not_visible":
		return fmt.Sprintf("nobody in the workspace is %s: check the spelling", where)
	case "user_disabled":
		return fmt.Sprintf("the account of %s is deactivated: send to somebody else", where)
	}
	return fmt.Sprintf("Slack does not let the bot post in %s", where)
}

func (c *call) botName() string {
	if name := c.bot.Identity().Name; name != "" {
		return name
	}
	return "tocsin"
}
