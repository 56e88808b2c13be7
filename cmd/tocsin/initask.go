package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/term"

	"tocsin/alert"
	"tocsin/bot"
)

// console asks a person at a terminal. The zero value has nobody to ask.
type console struct {
	in  *os.File
	out io.Writer
}

func (c console) asks() bool { return c.in != nil }

// errInputEnded is the error of a terminal that was closed.
var errInputEnded = errors.New("there is no answer")

// line asks for a line of text, without the blanks around it.
func (c console) line(ctx context.Context, prompt string) (string, error) {
	return c.answer(ctx, prompt, func() (string, error) { return typedLine(c.in) })
}

// secret asks for a line that is not shown.
func (c console) secret(ctx context.Context, prompt string) (string, error) {
	before, err := term.MakeRaw(int(c.in.Fd()))
	if err != nil {
		return "", fmt.Errorf("ask: %w", err)
	}
	// Whoever interrupts it sees again what they type.
	defer func() { _ = term.Restore(int(c.in.Fd()), before) }()
	said, err := c.answer(ctx, prompt, func() (string, error) { return hiddenLine(c.in) })
	_, _ = io.WriteString(c.out, "\r\n") // for the line end that was not shown
	return said, err
}

// hiddenLine reads a line from a terminal that shows nothing and leaves its keys to the
// reader. term.ReadPassword does not notice the end of the input (Ctrl-D).
func hiddenLine(from io.Reader) (string, error) {
	const ctrlC, ctrlD, backspace, ctrlU, ctrlBackslash, del = 0x03, 0x04, 0x08, 0x15, 0x1c, 0x7f
	var line []byte
	for key := make([]byte, 1); ; {
		if n, err := from.Read(key); n == 0 || err != nil {
			return string(line), cmp.Or(err, io.EOF)
		}
		switch key[0] {
		case '\r', '\n':
			return string(line), nil
		case ctrlD:
			if len(line) == 0 {
				return "", io.EOF
			}
		case ctrlC:
			_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
		case ctrlBackslash:
			_ = syscall.Kill(os.Getpid(), syscall.SIGQUIT)
		case backspace, del:
			line = line[:max(0, len(line)-1)]
		case ctrlU:
			line = nil
		default:
			line = append(line, key[0])
		}
	}
}

// answer returns when there is an answer or ctx ends; a terminal can't be told to stop
// reading, and the process ends then.
func (c console) answer(ctx context.Context, prompt string, read func() (string, error)) (string, error) {
	type result struct {
		line string
		err  error
	}
	if _, err := io.WriteString(c.out, prompt); err != nil {
		return "", err
	}
	answered := make(chan result, 1)
	go func() {
		line, err := read()
		answered <- result{line, err}
	}()
	select {
	case got := <-answered:
		if errors.Is(got.err, io.EOF) {
			got.err = errInputEnded
		}
		return strings.TrimSpace(got.line), got.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// typedLine reads no further than the end of the line, so that the rest of what was pasted
// is there for the next question.
func typedLine(from io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		n, err := from.Read(one)
		switch {
		case n == 1 && one[0] == '\n', err != nil && len(line) > 0:
			return string(line), nil
		case err != nil:
			return "", err
		case n == 1:
			line = append(line, one[0])
		}
	}
}

// mostOffered is how many channels are listed; a name can be typed in any case.
const mostOffered = 30

// chooseChannel is the channel that is given, or chosen from those that the bot is in, or
// the present one. Alerts can be posted there.
func (c *initCmd) chooseChannel(ctx context.Context, slack *bot.Bot, was string) (string, error) {
	given := cmp.Or(c.channel, c.getenv("SLACK_CHANNEL_ID"))
	if given == "" && was != "" && !c.ask.asks() {
		return was, nil
	}
	if err := slack.Probe(ctx); err != nil { // for its name
		return "", err
	}
	if given != "" || !c.ask.asks() {
		joined, err := slack.Joined(ctx)
		if err != nil {
			return "", fmt.Errorf("list the channels that the bot is in: %w", err)
		}
		if given == "" {
			return "", &usageError{fmt.Errorf("there is no channel: give one with --channel or SLACK_CHANNEL_ID; the bot is in %s", channelNames(joined))}
		}
		return checkChannel(ctx, slack, given, joined)
	}
	for {
		channel, err := c.askForChannel(ctx, slack, was)
		if channel != "" || err != nil {
			return channel, err
		}
	}
}

// askForChannel asks once; the channel is empty if it has to ask again.
func (c *initCmd) askForChannel(ctx context.Context, slack *bot.Bot, was string) (string, error) {
	joined, err := slack.Joined(ctx)
	if err != nil {
		return "", fmt.Errorf("list the channels that the bot is in: %w", err)
	}
	offered := joined[:min(len(joined), mostOffered)]
	c.offer(offered, len(joined), slack.Identity().Name)
	prompt := "   Its number, its name, or Enter to look again: "
	if was != "" {
		prompt = "   Its number, its name, or Enter to keep " + was + ": "
	}
	said, err := c.ask.line(ctx, prompt)
	if err != nil {
		return "", err
	}
	said = cmp.Or(said, was)
	if n, err := strconv.Atoi(said); err == nil && n >= 1 && n <= len(offered) {
		said = "#" + offered[n-1].Name
	}
	if said == "" {
		return "", nil
	}
	channel, err := checkChannel(ctx, slack, said, joined)
	if err != nil && ctx.Err() == nil {
		c.print("   %s\n", err)
		return "", nil
	}
	return channel, err
}

// offer lists channels with their numbers.
func (c *initCmd) offer(offered []bot.Channel, all int, bot string) {
	for n, channel := range offered {
		c.print("   %2d  #%s\n", n+1, channel.Name)
	}
	switch {
	case all == 0:
		c.print("   The bot is in no channel yet. In Slack, in the channel for alerts, type: /invite @%s\n", bot)
	case all > len(offered):
		c.print("   and %d more\n", all-len(offered))
	}
}

// channelNames lists channels.
func channelNames(joined []bot.Channel) string {
	if len(joined) == 0 {
		return "no channel"
	}
	var names []string
	for _, channel := range joined[:min(len(joined), mostOffered)] {
		names = append(names, "#"+channel.Name)
	}
	if more := len(joined) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// checkChannel returns how a conversation is written, if alerts can be posted there. A channel
// that the bot is not in is only known by its id, because the list of all channels may be very
// long.
func checkChannel(ctx context.Context, slack *bot.Bot, said string, joined []bot.Channel) (string, error) {
	channel, err := alert.ParseConversation(said)
	if err != nil {
		return "", &usageError{fmt.Errorf("%s is not a conversation: %w", flat(said), err)}
	}
	if name, ok := strings.CutPrefix(channel, "#"); ok {
		if slices.ContainsFunc(joined, func(j bot.Channel) bool { return strings.EqualFold(j.Name, name) }) {
			return channel, nil
		}
		return "", fmt.Errorf("the bot is not in %s: type there /invite @%s (it is in %s)", channel, slack.Identity().Name, channelNames(joined))
	}
	for _, check := range slack.Examine(ctx, bot.Needs{Conversations: []string{channel}}, nil) {
		if check.About == channel && check.Result == alert.CheckError {
			return "", fmt.Errorf("%s %s; %s", channel, check.Found, check.Fix)
		}
	}
	return channel, ctx.Err()
}
