package alert

import "strings"

// SlackError is what one of Slack's error codes means, to the program and to
// people.
type SlackError struct {
	Class Class
	// Hint says what a person can do about it. {where} stands for the conversation
	// as a person spelled it, {bot} for the bot's name, {scope} for what is missing.
	Hint string
	// Clause says what is wrong with a conversation, to follow its name.
	Clause string
	// Method is set when it concerns one method and not the whole app.
	Method bool
	// Visible is set when looking at a conversation shows whether it still holds.
	Visible bool
	// NoSuchName is set when the name may come to mean another conversation.
	NoSuchName bool
	// Stale is set when the screen has changed since: the person has to do it again.
	Stale bool
}

// ExplainSlackError looks an error code up in the one table of them. A code that
// is not in it has ClassUnknown.
func ExplainSlackError(code string) SlackError {
	if known, ok := slackErrors[code]; ok {
		return known
	}
	if strings.HasPrefix(code, "slack_connect_") {
		return SlackError{Class: ClassDestination, Hint: hintRefused}
	}
	return SlackError{Class: ClassUnknown}
}

const (
	hintToken    = "set SLACK_BOT_TOKEN to the Bot User OAuth Token (xoxb-…) from the app's page OAuth & Permissions; if it is right, reinstall the app there"
	hintAdmin    = "an admin of the workspace has to allow the app"
	hintArchived = "{where} is archived: unarchive it, or send elsewhere"
	hintPosting  = "let apps post in {where} (its settings, posting permissions)"
	hintNobody   = "nobody in the workspace is {where}: check the spelling"
	hintRefused  = "Slack does not let the bot post in {where}"
	hintPause    = "Slack asks for a pause; sending goes on by itself"

	laneArchived = "which is archived"
	lanePosting  = "where apps may not post"
	laneNobody   = "who is not in this workspace"
)

// slackErrors are the codes of Slack's reference, for the methods we call, by
// class (docs/slack.md has their source).
var slackErrors = map[string]SlackError{
	// The whole app can't call Slack.
	"not_authed":                {Class: ClassAuth, Hint: hintToken},
	"invalid_auth":              {Class: ClassAuth, Hint: hintToken},
	"account_inactive":          {Class: ClassAuth, Hint: hintToken},
	"token_revoked":             {Class: ClassAuth, Hint: hintToken},
	"token_expired":             {Class: ClassAuth, Hint: "token rotation is on for the app, so that its tokens end after 12 hours: switch it off, install the app again and renew SLACK_BOT_TOKEN"},
	"not_allowed_token_type":    {Class: ClassAuth, Hint: "SLACK_BOT_TOKEN must be the Bot User OAuth Token (xoxb-…), not a user or app-level token"},
	"missing_scope":             {Class: ClassAuth, Method: true, Hint: "add {scope} under OAuth & Permissions, then reinstall the app"},
	"unknown_method":            {Class: ClassAuth, Method: true, Hint: "SLACK_API_URL points to something that is not all of Slack's Web API"},
	"no_permission":             {Class: ClassAuth, Hint: hintAdmin},
	"access_denied":             {Class: ClassAuth, Hint: hintAdmin},
	"accesslimited":             {Class: ClassAuth, Hint: hintAdmin},
	"app_access_restricted":     {Class: ClassAuth, Hint: hintAdmin},
	"team_access_not_granted":   {Class: ClassAuth, Hint: hintAdmin},
	"two_factor_setup_required": {Class: ClassAuth, Hint: hintAdmin},
	"enterprise_is_restricted":  {Class: ClassAuth, Hint: hintAdmin},
	"ekm_access_denied":         {Class: ClassAuth, Hint: hintAdmin},
	"deprecated_endpoint":       {Class: ClassAuth, Hint: hintAdmin},
	"method_deprecated":         {Class: ClassAuth, Hint: hintAdmin},
	"is_bot":                    {Class: ClassAuth, Hint: hintAdmin},
	"link_disabled":             {Class: ClassAuth, Hint: hintAdmin},

	// The conversation can't be posted to.
	"channel_not_found": {Class: ClassDestination, Visible: true, NoSuchName: true, Hint: "check the spelling of {where}; if it is private, type there: /invite @{bot}",
		Clause: "which does not exist, or is private and without the bot"},
	"not_in_channel":                        {Class: ClassDestination, Visible: true, Hint: "in {where}, type: /invite @{bot}", Clause: "where the bot is not a member"},
	"is_archived":                           {Class: ClassDestination, Visible: true, Hint: hintArchived, Clause: laneArchived},
	"is_inactive":                           {Class: ClassDestination, Visible: true, Hint: hintArchived, Clause: laneArchived},
	"restricted_action":                     {Class: ClassDestination, Hint: hintPosting, Clause: lanePosting},
	"restricted_action_read_only_channel":   {Class: ClassDestination, Hint: hintPosting, Clause: lanePosting},
	"posting_to_channel_denied":             {Class: ClassDestination, Hint: hintPosting, Clause: lanePosting},
	"channel_is_limited_access":             {Class: ClassDestination, Hint: hintPosting, Clause: lanePosting},
	"restricted_action_thread_only_channel": {Class: ClassDestination, Hint: hintRefused},
	"messages_tab_disabled":                 {Class: ClassDestination, Hint: "switch on the Messages tab in the app's settings, under App Home"},
	"user_not_found":                        {Class: ClassDestination, Hint: hintNobody, Clause: laneNobody},
	"users_not_found":                       {Class: ClassDestination, Hint: hintNobody, Clause: laneNobody},
	"user_not_visible":                      {Class: ClassDestination, Hint: hintNobody, Clause: laneNobody},
	"user_disabled":                         {Class: ClassDestination, Hint: "the account of {where} is deactivated: send to somebody else", Clause: "whose account is deactivated"},
	"cannot_dm_bot":                         {Class: ClassDestination, Hint: hintRefused},
	"user_not_in_channel":                   {Class: ClassDestination, Hint: hintRefused},
	"team_not_found":                        {Class: ClassDestination, Hint: hintRefused},
	"too_many_members":                      {Class: ClassDestination, Hint: hintRefused},

	// The payload is bad.
	"invalid_blocks":                    {Class: ClassPayload},
	"invalid_blocks_format":             {Class: ClassPayload},
	"msg_blocks_too_long":               {Class: ClassPayload},
	"msg_blocks_too_many":               {Class: ClassPayload},
	"msg_too_long":                      {Class: ClassPayload},
	"no_text":                           {Class: ClassPayload},
	"too_many_attachments":              {Class: ClassPayload},
	"too_many_contact_cards":            {Class: ClassPayload},
	"missing_file_data":                 {Class: ClassPayload},
	"attachment_payload_limit_exceeded": {Class: ClassPayload},
	"invalid_attachments":               {Class: ClassPayload},
	"invalid_metadata_format":           {Class: ClassPayload},
	"invalid_metadata_schema":           {Class: ClassPayload},
	"metadata_too_large":                {Class: ClassPayload},
	"metadata_must_be_sent_from_app":    {Class: ClassPayload},
	"markdown_text_conflict":            {Class: ClassPayload},
	"block_mismatch":                    {Class: ClassPayload},
	"invalid_arguments":                 {Class: ClassPayload},
	"invalid_arg_name":                  {Class: ClassPayload},
	"invalid_array_arg":                 {Class: ClassPayload},
	"missing_args":                      {Class: ClassPayload},
	"invalid_form_data":                 {Class: ClassPayload},
	"invalid_charset":                   {Class: ClassPayload},
	"invalid_post_type":                 {Class: ClassPayload},
	"missing_post_type":                 {Class: ClassPayload},
	"invalid_json":                      {Class: ClassPayload},
	"json_not_object":                   {Class: ClassPayload},
	"view_too_large":                    {Class: ClassPayload},
	"duplicate_external_id":             {Class: ClassPayload},
	"not_enabled":                       {Class: ClassPayload, Hint: "switch on the Home tab in the app's settings, under App Home"},

	// The screen has changed since.
	"expired_trigger_id":   {Class: ClassPayload, Stale: true},
	"exchanged_trigger_id": {Class: ClassPayload, Stale: true},
	"invalid_trigger_id":   {Class: ClassPayload, Stale: true},
	"trigger_expired":      {Class: ClassPayload, Stale: true},
	"trigger_exchanged":    {Class: ClassPayload, Stale: true},
	"hash_conflict":        {Class: ClassPayload, Stale: true},
	"not_found":            {Class: ClassPayload, Stale: true},

	// The thread can't be replied to.
	"cannot_reply_to_message":                  {Class: ClassThread},
	"restricted_action_thread_locked":          {Class: ClassThread},
	"restricted_action_non_threadable_channel": {Class: ClassThread},
	"thread_not_found":                         {Class: ClassThread},

	// The card can't be edited any more.
	"message_not_found":   {Class: ClassGone},
	"cant_update_message": {Class: ClassGone},
	"edit_window_closed":  {Class: ClassGone},

	// Slack asks for a pause.
	"ratelimited":            {Class: ClassThrottled, Hint: hintPause},
	"rate_limited":           {Class: ClassThrottled, Hint: hintPause},
	"message_limit_exceeded": {Class: ClassThrottled, Hint: hintPause},

	// Not applied; trying again may help.
	"service_unavailable":        {Class: ClassTransient},
	"request_timeout":            {Class: ClassTransient},
	"team_added_to_org":          {Class: ClassTransient},
	"org_login_required":         {Class: ClassTransient},
	"external_channel_migrating": {Class: ClassTransient},
	"streaming_state_conflict":   {Class: ClassTransient},

	// Perhaps applied.
	"internal_error": {Class: ClassUnsure},
	"fatal_error":    {Class: ClassUnsure},
	"update_failed":  {Class: ClassUnsure},
}
