package playground

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tocsin/playground/mrkdwn"
)

// slackbot tells people that a command has failed.
const slackbot = "USLACKBOT"

// Command types a slash command into a channel and waits for its ack, for Options.AckTimeout at most. A message in the ack is shown as
// Slack shows it. It is not an error when the app does not accept the command: CommandRun.Err is what the person sees.
func (p *Person) Command(ctx context.Context, channel, command, text string) (*CommandRun, error) {
	run, err := p.beginCommand(channel, command, text)
	if err != nil {
		return nil, fmt.Errorf("command %s: %w", command, err)
	}
	out, err := attended(ctx, p.s, run)
	if err != nil {
		return nil, fmt.Errorf("command %s: %w", command, err)
	}
	return &out, nil
}

// beginCommand sends the command and returns a function that waits for its result.
func (p *Person) beginCommand(channel, command, text string) (func() CommandRun, error) {
	defer p.s.oneAtATime()()
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	u, c, err := p.placeLocked(channel)
	if err != nil {
		return nil, err
	}
	cmd := typedCommand{user: *u, channel: c, line: strings.TrimSpace(command + " " + text)}
	spec, known := p.s.commandSpec(command)
	if !known {
		p.s.commandOverLocked(cmd, ErrCommand)
		return func() CommandRun { return CommandRun{Interaction{Err: ErrCommand}} }, nil
	}
	if spec.ShouldEscape {
		text = mrkdwn.CommandText(mrkdwn.Typed(text, p.s.namesLocked()))
	}
	hookURL := p.s.newHookLocked(hook{Kind: "commands", User: u.ID, Channel: c.ID})
	trigger := p.s.newTriggerLocked(u.ID, "")
	env := newEnvelope(TypeCommand, command, map[string]any{
		"token": verification, "team_id": p.s.teamOf(u), "team_domain": p.s.ws.domain,
		"channel_id": c.ID, "channel_name": commandChannel(c), "user_id": u.ID, "user_name": u.Name,
		"command": command, "text": strings.TrimSpace(text), "api_app_id": p.s.ws.appID, "is_enterprise_install": "false",
		"response_url": hookURL, "trigger_id": trigger,
	})
	env.accepts = true
	p.s.recordLocked(Entry{Kind: KindCommand, User: u.ID, Channel: c.ID, Text: cmd.line, Reason: "sent", Envelope: env.id})
	sent := p.s.dispatchLocked(env)
	return func() CommandRun {
		out := p.s.exchange(env, sent)
		out.TriggerID, out.ResponseURL = trigger, hookURL
		return p.s.commandAnswered(cmd, out)
	}, nil
}

// typedCommand is a command line and where it was typed.
type typedCommand struct {
	user    User
	channel *channelState
	line    string
}

// commandSpec finds the manifest's entry for a command. If the manifest has no commands, every command is accepted.
func (s *Server) commandSpec(command string) (Command, bool) {
	if len(s.opts.Commands) == 0 {
		return Command{Command: command}, strings.HasPrefix(command, "/")
	}
	i := slices.IndexFunc(s.opts.Commands, func(c Command) bool { return c.Command == command })
	if i < 0 {
		return Command{}, false
	}
	return s.opts.Commands[i], true
}

// commandChannel is the channel_name field: Slack hides the names of direct and private conversations.
func commandChannel(c *channelState) string {
	switch {
	case c.IsIM:
		return "directmessage"
	case c.IsPrivate:
		return "privategroup"
	}
	return c.Name
}

// commandAnswered shows the result of a command.
func (s *Server) commandAnswered(cmd typedCommand, out Interaction) CommandRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	if out.Acked && !s.showAckLocked(cmd, out.AckPayload) {
		out.Err = ErrResponse
	}
	s.commandOverLocked(cmd, out.Err)
	return CommandRun{out}
}

// commandOverLocked records the end of a command. If it failed, Slackbot tells the person in an ephemeral message.
func (s *Server) commandOverLocked(cmd typedCommand, problem string) {
	s.recordLocked(Entry{Kind: KindCommand, User: cmd.user.ID, Channel: cmd.channel.ID, Text: cmd.line, Reason: orDefault(problem, "acked")})
	if problem == "" {
		return
	}
	name, _, _ := strings.Cut(cmd.line, " ")
	text := fmt.Sprintf("%s failed with the error \"%s\"", name, problem)
	if problem == ErrCommand {
		text = fmt.Sprintf("`%s` is not a valid command.", name)
	}
	s.ephemeralLocked(cmd.channel, cmd.user.ID, Message{User: slackbot, Text: text})
}

// showAckLocked shows the message in a command's ack: to the person only, or with response_type in_channel to all, below what was
// typed. An empty ack shows nothing. It reports false for a payload that is not a message Slack would accept.
func (s *Server) showAckLocked(cmd typedCommand, payload json.RawMessage) bool {
	req := request{args: args{}}
	if req.decodeJSON(payload) != nil {
		return false
	}
	body, problem := s.contentLocked(req.args, maxPostText)
	if problem != nil {
		return false
	}
	inChannel := req.args.text("response_type") == "in_channel"
	if inChannel {
		s.postLocked(cmd.channel, Message{User: cmd.user.ID, Text: cmd.line})
	}
	switch {
	case body.empty():
	case inChannel:
		s.postLocked(cmd.channel, s.botMessageLocked(body))
	default:
		s.ephemeralLocked(cmd.channel, cmd.user.ID, s.botMessageLocked(body))
	}
	return true
}
