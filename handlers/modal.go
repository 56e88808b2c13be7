package handlers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// Submit judges a filled-in dialog: its errors by block id, or the work to do.
func (h *Handlers) Submit(s bot.Submission) (errs map[string]string, work func(ctx context.Context) error) {
	caller := bot.Caller{User: s.User, Team: s.Team}
	if s.CallbackID != render.CallbackTest {
		return nil, func(ctx context.Context) error {
			h.opts.Log.Warn("dialog of an unknown kind", zap.String("callback", s.CallbackID), zap.String("user", s.User))
			return h.respond(ctx, caller, render.Gone())
		}
	}
	order, errs := readTest(s)
	if len(errs) > 0 {
		return errs, nil
	}
	return nil, func(ctx context.Context) error {
		return h.respond(ctx, caller, h.sendTest(ctx, order, s.TriggerID))
	}
}

// readTest reads the test dialog, or says by block what is wrong.
func readTest(s bot.Submission) (testOrder, map[string]string) {
	field := func(name string) string { return s.Inputs[name][name].Value }
	errs := map[string]string{}
	order := testOrder{severity: alert.Severity(field(render.InputSeverity)), title: title(field(render.InputTitle))}
	if !slices.Contains(alert.Severities(), order.severity) {
		errs[render.InputSeverity] = "Choose one of critical, error, warning, info."
	}
	switch n := utf8.RuneCountInString(order.title); {
	case n == 0:
		errs[render.InputTitle] = "Write a title, for example: Test alert"
	case n > render.MaxTestTitle:
		errs[render.InputTitle] = fmt.Sprintf("The title has %d characters; at most %d fit.", n, render.MaxTestTitle)
	}
	switch words := tokens(field(render.InputChannel)); len(words) {
	case 0:
	case 1:
		channel, bad := parseChannel(words[0].raw)
		if bad != nil {
			errs[render.InputChannel] = bad.Hint
		}
		order.channel = channel
	default:
		errs[render.InputChannel] = "Name one conversation, without blanks."
	}
	return order, errs
}

// title is what is to be read of a title: one line, without what can't be seen.
func title(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) || unicode.IsSpace(r) || unicode.Is(unicode.Join_Control, r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(s), " ")
}
