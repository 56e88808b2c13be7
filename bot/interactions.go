package bot

import (
	"cmp"
	"fmt"
	"strconv"

	"tocsin/alert"
)

// interaction is a decoded interactive envelope; it is empty for anything but
// clicks and submitted dialogs.
type interaction struct {
	actions    []Action
	submission *Submission
}

// rawInteraction is what we read of an interaction (docs/slack.md §7.4, §7.5).
type rawInteraction struct {
	Type        string       `json:"type"`
	Trigger     string       `json:"trigger_id"`
	ResponseURL alert.Secret `json:"response_url"`
	User        rawUser      `json:"user"`
	Team        rawID        `json:"team"`
	Enterprise  rawID        `json:"enterprise"`
	Channel     rawID        `json:"channel"`
	Container   struct {
		MessageTS string `json:"message_ts"`
		ChannelID string `json:"channel_id"`
		Thread    string `json:"thread_ts"`
		Ephemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	View    rawView    `json:"view"`
	Actions []rawInput `json:"actions"`
}

type rawID struct {
	ID string `json:"id"`
}

type rawUser struct {
	ID       string `json:"id"`
	Username string `json:"username"`
	Name     string `json:"name"`
	Team     string `json:"team_id"`
}

type rawView struct {
	ID         string `json:"id"`
	CallbackID string `json:"callback_id"`
	Private    string `json:"private_metadata"`
	Hash       string `json:"hash"`
	State      struct {
		Values map[string]map[string]rawInput `json:"values"`
	} `json:"state"`
}

func decodeInteraction(payload []byte, self Identity) (interaction, error) {
	var p rawInteraction
	if err := lenient(payload, &p); err != nil {
		return interaction{}, fmt.Errorf("read interaction: %w", err)
	}
	if self.TeamID == "" { // before the first auth.test
		self.TeamID, self.EnterpriseID = p.Team.ID, p.Enterprise.ID
	}
	outside := self.outside(p.User.Team)
	switch p.Type {
	case "block_actions":
		return interaction{actions: p.clicks(outside)}, nil
	case "view_submission":
		return interaction{submission: p.dialog(outside)}, nil
	}
	return interaction{}, nil
}

func (p rawInteraction) clicks(outside string) []Action {
	caller := Caller{
		User: p.User.ID, Name: cmp.Or(p.User.Username, p.User.Name), Team: p.Team.ID, Outside: outside,
		Channel: cmp.Or(p.Channel.ID, p.Container.ChannelID), Thread: p.Container.Thread, ResponseURL: p.ResponseURL,
	}
	var actions []Action
	for _, a := range p.Actions {
		actions = append(actions, Action{
			Caller: caller, ActionID: a.ActionID, Value: a.value(),
			MessageTS: p.Container.MessageTS, Ephemeral: p.Container.Ephemeral, ViewID: p.View.ID, ViewHash: p.View.Hash, Private: p.View.Private, TriggerID: p.Trigger,
		})
	}
	return actions
}

func (p rawInteraction) dialog(outside string) *Submission {
	s := &Submission{
		User: p.User.ID, Name: cmp.Or(p.User.Username, p.User.Name), Team: p.Team.ID, Outside: outside, ViewID: p.View.ID, CallbackID: p.View.CallbackID,
		Private: p.View.Private, TriggerID: p.Trigger, Inputs: map[string]map[string]string{},
	}
	for block, fields := range p.View.State.Values {
		s.Inputs[block] = map[string]string{}
		for action, raw := range fields {
			s.Inputs[block][action] = raw.value()
		}
	}
	return s
}

// rawInput is the state of one element. Each type of element that we show has a
// field of its own.
type rawInput struct {
	ActionID string    `json:"action_id"`
	Value    string    `json:"value"`
	Option   rawOption `json:"selected_option"`
	User     string    `json:"selected_user"`
	DateTime int64     `json:"selected_date_time"`
}

type rawOption struct {
	Value string `json:"value"`
}

// UnmarshalJSON decodes an element leniently, so that one with an unknown shape
// does not hide the others.
func (r *rawInput) UnmarshalJSON(data []byte) error {
	type plain rawInput
	return lenient(data, (*plain)(r))
}

func (r rawInput) value() string {
	if r.DateTime != 0 {
		return strconv.FormatInt(r.DateTime, 10)
	}
	return cmp.Or(r.Value, r.Option.Value, r.User)
}
