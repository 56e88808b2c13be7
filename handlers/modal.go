package handlers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

type dialog struct {
	needs right
	// read returns the errors by block id, or what submitting does. It is pure except
	// for the clock.
	read func(h *Handlers, s bot.Submission) (errs map[string]string, do func(ctx context.Context, a bot.Action) error)
}

func dialogs() map[string]dialog {
	return map[string]dialog{
		render.CallbackTest:    {rightSend, (*Handlers).submitTest},
		render.CallbackSilence: {rightSilence, (*Handlers).submitSilence},
		render.CallbackAssign:  {rightAck, (*Handlers).submitAssign},
		render.CallbackNote:    {rightAck, (*Handlers).submitNote},
		render.CallbackCopy:    {"", (*Handlers).submitCopy},
	}
}

// Submit validates a submitted dialog. It returns the errors by block id, or the work
// to do. It is pure except for the clock.
func (h *Handlers) Submit(s bot.Submission) (errs map[string]string, work func(ctx context.Context) error) {
	from := openedFrom(s)
	d, known := dialogs()[s.CallbackID]
	if !known {
		return nil, func(ctx context.Context) error {
			h.opts.Log.Warn("dialog of an unknown kind", zap.String("callback", s.CallbackID), zap.String("user", s.User))
			return h.respond(ctx, from.Caller, render.Gone())
		}
	}
	errs, do := d.read(h, s)
	if len(errs) > 0 {
		return errs, nil
	}
	return nil, func(ctx context.Context) error {
		about := s.CallbackID + " " + from.Value
		if h.nobody(from.Caller, about) {
			return nil
		}
		if no, ok := h.welcome(ctx, from.Caller, about); !ok {
			return h.respond(ctx, from.Caller, no)
		}
		if no, ok := h.allowed(ctx, from.Caller, d.needs, about); !ok {
			return h.respond(ctx, from.Caller, no)
		}
		return do(ctx, from)
	}
}

func field(s bot.Submission, name string) string { return s.Inputs[name][name] }

func (h *Handlers) submitTest(s bot.Submission) (map[string]string, func(ctx context.Context, a bot.Action) error) {
	order, errs := readTest(s)
	return errs, func(ctx context.Context, a bot.Action) error {
		return h.respond(ctx, a.Caller, h.sendTest(ctx, order, a.TriggerID))
	}
}

func (h *Handlers) submitSilence(s bot.Submission) (map[string]string, func(ctx context.Context, a bot.Action) error) {
	wanted, errs := readSilence(s, h.opts.Now())
	repeat := field(s, render.InputRepeat)
	return errs, func(ctx context.Context, a bot.Action) error {
		if repeats(repeat) {
			zone, bad := h.zoneOf(ctx, a.Caller)
			if bad != nil {
				return h.respond(ctx, a.Caller, refused(bad))
			}
			wanted = repeated(wanted, repeat == render.RepeatWeekly, h.opts.Now().In(zone))
		}
		said, holds := h.createSilence(ctx, wanted, a.Caller)
		return h.result(ctx, a, holds, said)
	}
}

func readSilence(s bot.Submission, now time.Time) (alert.Silence, map[string]string) {
	errs := map[string]string{}
	wanted := alert.Silence{Why: prose(field(s, render.InputReason))}
	matchers, bad := parseMatchers(field(s, render.InputMatchers))
	if bad == nil {
		bad = specific(matchers, "for example service=\"db\".")
	}
	if bad != nil {
		errs[render.InputMatchers] = sentence(bad)
	}
	wanted.Matchers = matchers
	readTimes(s, now, &wanted, errs)
	if n := utf8.RuneCountInString(wanted.Why); n > render.MaxReason {
		errs[render.InputReason] = fmt.Sprintf("The reason has %d characters; at most %d fit.", n, render.MaxReason)
	}
	return wanted, errs
}

// sentence is an error as plain text for a field.
func sentence(bad *alert.InputError) string {
	return strings.TrimRight(bad.Message, ".") + ". " + strings.ToUpper(bad.Hint[:min(1, len(bad.Hint))]) + bad.Hint[min(1, len(bad.Hint)):]
}

// prose is the text of a field without invisible characters.
func prose(s string) string {
	return strings.TrimSpace(strings.Map(visible, strings.ToValidUTF8(s, "\uFFFD")))
}

func (h *Handlers) submitAssign(s bot.Submission) (map[string]string, func(ctx context.Context, a bot.Action) error) {
	to, note := field(s, render.InputPerson), prose(field(s, render.InputText))
	errs := tooLong(note)
	if !isPerson(to) {
		errs[render.InputPerson] = "Choose a person."
	}
	return errs, func(ctx context.Context, a bot.Action) error {
		return h.perform(ctx, a, alert.Act{Verb: alert.VerbAssign, To: h.person(ctx, bot.Caller{User: to}), Text: note})
	}
}

func (h *Handlers) submitNote(s bot.Submission) (map[string]string, func(ctx context.Context, a bot.Action) error) {
	note := prose(field(s, render.InputText))
	errs := tooLong(note)
	if note == "" {
		errs[render.InputText] = "Write a note."
	}
	return errs, func(ctx context.Context, a bot.Action) error {
		return h.perform(ctx, a, alert.Act{Verb: alert.VerbNote, Text: note})
	}
}

// submitCopy does nothing: the dialog was only there to copy from.
func (h *Handlers) submitCopy(bot.Submission) (map[string]string, func(ctx context.Context, a bot.Action) error) {
	return nil, func(context.Context, bot.Action) error { return nil }
}

func tooLong(note string) map[string]string {
	errs := map[string]string{}
	if n := utf8.RuneCountInString(note); n > render.MaxNote {
		errs[render.InputText] = fmt.Sprintf("The note has %d characters; at most %d fit.", n, render.MaxNote)
	}
	return errs
}

func readTest(s bot.Submission) (testOrder, map[string]string) {
	errs := map[string]string{}
	order := testOrder{severity: alert.Severity(field(s, render.InputSeverity)), title: strings.Join(strings.Fields(prose(field(s, render.InputTitle))), " ")}
	if !slices.Contains(alert.Severities(), order.severity) {
		errs[render.InputSeverity] = "Choose one of critical, error, warning, info."
	}
	switch n := utf8.RuneCountInString(order.title); {
	case n == 0:
		errs[render.InputTitle] = "Write a title, for example: Test alert"
	case n > render.MaxTestTitle:
		errs[render.InputTitle] = fmt.Sprintf("The title has %d characters; at most %d fit.", n, render.MaxTestTitle)
	}
	words := read(field(s, render.InputChannel)).words
	if len(words) > 1 {
		errs[render.InputChannel] = "Name one conversation, without blanks."
	}
	if len(words) == 1 {
		var bad *alert.InputError
		if order.channel, bad = parseChannel(words[0].raw); bad != nil {
			errs[render.InputChannel] = bad.Hint
		}
	}
	return order, errs
}
