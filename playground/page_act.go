package playground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"tocsin/playground/page"
)

// maxAct is the most bytes that the body of one act may have.
const maxAct = 1 << 20

var (
	errNoPush  = errors.New("no daemon listens under this page: start one with `tocsin demo`")
	errUnknown = errors.New("the playground does not know how to do that")
)

// actRequest is what the page posts; which fields count depends on Do.
type actRequest struct {
	Do        string  `json:"do"`
	Channel   string  `json:"channel"`
	Text      string  `json:"text"`
	ThreadTS  string  `json:"thread_ts"`
	MessageTS string  `json:"message_ts"`
	ViewID    string  `json:"view_id"`
	BlockID   string  `json:"block_id"`
	ActionID  string  `json:"action_id"`
	Action    string  `json:"action"`
	Socket    string  `json:"socket"`
	Reason    string  `json:"reason"`
	Seconds   float64 `json:"seconds"`
	Archived  *bool   `json:"archived"`
	Member    *bool   `json:"member"`
	State     struct {
		Values map[string]map[string]json.RawMessage `json:"values"`
	} `json:"state"`
	Values map[string]map[string]any `json:"values"`

	raw []byte
}

// actAnswer is what is added to {"ok":true}, or the error code of an act that did not reach the app.
type actAnswer struct {
	problem string
	fields  map[string]any
}

// act is one thing that the page can do as a person.
type act func(ctx context.Context, p *Person, req actRequest) (actAnswer, error)

// acts are the values of "do".
func acts() map[string]act {
	return map[string]act{
		"send": actSend, "click": actClick, "submit": actSubmit, "alert": actAlert, "fault": actFault, "socket": actSocket,
		"channel": actChannel,
		"close": func(_ context.Context, p *Person, req actRequest) (actAnswer, error) {
			return actAnswer{}, p.closeAt(AtView(req.ViewID), false)
		},
		"home": func(_ context.Context, p *Person, _ actRequest) (actAnswer, error) { return actAnswer{}, p.OpenHome() },
		"messages": func(_ context.Context, p *Person, _ actRequest) (actAnswer, error) {
			return actAnswer{}, p.OpenMessages()
		},
		"clear_faults": func(_ context.Context, p *Person, _ actRequest) (actAnswer, error) {
			p.s.ClearFaults()
			return actAnswer{}, nil
		},
		// For scripts that change the daemon's token.
		"reinstall": func(_ context.Context, p *Person, _ actRequest) (actAnswer, error) {
			return actAnswer{fields: map[string]any{"token": p.s.Reinstall()}}, nil
		},
		"revoke_old": func(_ context.Context, p *Person, _ actRequest) (actAnswer, error) {
			p.s.RevokeOld()
			return actAnswer{}, nil
		},
	}
}

// serveAct does one thing as a person. What Slack or the daemon refuses is answered with 200 and ok:false, as Slack itself does.
func (s *Server) serveAct(w http.ResponseWriter, r *http.Request) {
	req, err := readAct(r)
	if err != nil {
		page.Refuse(w, http.StatusBadRequest, "invalid_json", err.Error())
		return
	}
	s.mu.Lock()
	me, err := s.viewerLocked(r)
	s.mu.Unlock()
	if err != nil {
		page.Refuse(w, http.StatusNotFound, "user_not_found", err.Error())
		return
	}
	do, ok := acts()[req.Do]
	if !ok {
		page.Refuse(w, http.StatusBadRequest, "unknown_act", errUnknown.Error()+": "+req.Do)
		return
	}
	answer, err := do(r.Context(), s.User(me.ID), req)
	page.Answer(w, http.StatusOK, actReply(answer, err))
}

func actReply(answer actAnswer, err error) map[string]any {
	switch {
	case errors.Is(err, errNoPush):
		return page.Refusal("no_daemon", err.Error())
	case err != nil:
		return page.Refusal(codeOf(err), err.Error())
	case answer.problem != "":
		return page.Refusal(answer.problem, problemHint(answer.problem))
	}
	reply := map[string]any{"ok": true}
	maps.Copy(reply, answer.fields)
	return reply
}

// problemHint is what a person reads when the app did not accept something.
func problemHint(problem string) string {
	switch problem {
	case ErrTimeout:
		return "the app did not answer in time"
	case ErrDispatch:
		return "the app is not connected"
	case ErrCommand:
		return "the app has no such command"
	}
	return "Slack did not understand the app's answer"
}

func readAct(r *http.Request) (actRequest, error) {
	var req actRequest
	if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		return req, fmt.Errorf("content type is %q, want application/json", kind)
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxAct+1))
	if err != nil {
		return req, fmt.Errorf("read body: %w", err)
	}
	if len(raw) > maxAct {
		return req, fmt.Errorf("the body is larger than %d bytes", maxAct)
	}
	if err := json.Unmarshal(raw, &req); err != nil {
		return req, fmt.Errorf("decode body: %w", err)
	}
	req.raw = raw
	return req, nil
}

// actSend posts a message, or runs a command when the text begins with a slash.
func actSend(ctx context.Context, p *Person, req actRequest) (actAnswer, error) {
	if strings.HasPrefix(req.Text, "/") && req.ThreadTS == "" {
		command, text, _ := strings.Cut(req.Text, " ")
		run, err := p.Command(ctx, req.Channel, command, strings.TrimSpace(text))
		if err != nil {
			return actAnswer{}, err
		}
		return actAnswer{problem: run.Err, fields: map[string]any{"acked_after_ms": run.AckAfter.Milliseconds()}}, nil
	}
	ts, err := p.say(req.Channel, req.ThreadTS, req.Text)
	return actAnswer{fields: map[string]any{"ts": ts}}, err
}

func actClick(ctx context.Context, p *Person, req actRequest) (actAnswer, error) {
	at := AtMessage(req.Channel, req.MessageTS)
	if req.ViewID != "" {
		at = AtView(req.ViewID)
	}
	value, err := elementValue(req.raw)
	if err != nil {
		return actAnswer{}, err
	}
	out, err := p.use(ctx, click{at: at, ref: req.ActionID, block: req.BlockID, value: value, state: req.State.Values})
	if err != nil {
		return actAnswer{}, err
	}
	return actAnswer{problem: out.Err}, nil
}

// elementValue picks from a click the fields that are the element's value.
func elementValue(raw []byte) (map[string]any, error) {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fmt.Errorf("decode body: %w", err)
	}
	maps.DeleteFunc(fields, func(name string, value any) bool {
		return name != "value" && name != "rich_text_value" && !strings.HasPrefix(name, "selected_") || value == nil
	})
	return fields, nil
}

func actSubmit(ctx context.Context, p *Person, req actRequest) (actAnswer, error) {
	out, err := p.submit(ctx, AtView(req.ViewID), req.Values)
	if err != nil {
		return actAnswer{}, err
	}
	answer := actAnswer{problem: out.Err, fields: map[string]any{}}
	if len(out.Errors) > 0 {
		answer.fields["errors"] = out.Errors
	}
	return answer, nil
}

// actAlert hands a sample alert to the daemon; the alert is the request without the field "do".
func actAlert(ctx context.Context, p *Person, req actRequest) (actAnswer, error) {
	push := p.s.opts.Push
	if push == nil {
		return actAnswer{}, errNoPush
	}
	var alert map[string]json.RawMessage
	if err := json.Unmarshal(req.raw, &alert); err != nil {
		return actAnswer{}, fmt.Errorf("decode alert: %w", err)
	}
	delete(alert, "do")
	if err := push(ctx, mustJSON(alert)); err != nil {
		return actAnswer{}, fmt.Errorf("push alert: %w", err)
	}
	return actAnswer{}, nil
}

func actFault(_ context.Context, p *Person, req actRequest) (actAnswer, error) {
	var fault Fault
	if err := json.Unmarshal(req.raw, &fault); err != nil {
		return actAnswer{}, fmt.Errorf("decode fault: %w", err)
	}
	return actAnswer{}, p.s.SetFault(fault)
}

// actChannel archives or unarchives a channel, and removes or adds the bot.
func actChannel(_ context.Context, p *Person, req actRequest) (actAnswer, error) {
	return actAnswer{}, p.s.changeChannel(req.Channel, func(c *channelState) {
		if req.Archived != nil {
			c.IsArchived = *req.Archived
		}
		if req.Member != nil {
			p.s.setBotMember(c, *req.Member)
		}
	})
}

// actSocket does something to the named socket, or to the oldest live one; recycle refreshes one every so many seconds until it is
// given 0.
func actSocket(_ context.Context, p *Person, req actRequest) (actAnswer, error) {
	switch req.Action {
	case "cut":
		return actAnswer{}, p.s.Cut(req.Socket)
	case "freeze":
		return actAnswer{}, p.s.Freeze(req.Socket)
	case "refresh":
		return actAnswer{}, p.s.Refresh(req.Socket, ReasonRefreshRequested)
	case "recycle":
		every := time.Duration(req.Seconds * float64(time.Second))
		return actAnswer{}, p.s.Recycle(every, orDefault(req.Reason, ReasonRefreshRequested))
	}
	return actAnswer{}, fmt.Errorf("%w: socket %s", errUnknown, req.Action)
}
