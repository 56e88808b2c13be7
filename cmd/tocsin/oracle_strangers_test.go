package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"tocsin/playground"
)

// stranger is a person of another workspace, who sees all public channels.
const (
	stranger     = "mallory"
	strangerTeam = "T0STRANGE"
)

var buttonValue = regexp.MustCompile(`"value":"([0-9a-z]+)"`)

// meddle clicks, commands and writes as the stranger until ctx ends. Nothing may
// change because of it: what the stranger tries shows as a finding elsewhere, or in
// meddled.
func (o *oracle) meddle(ctx context.Context) {
	random := rand.New(rand.NewPCG(o.plan.seed, 2))
	who := o.slack.User(stranger)
	for pause(ctx, time.Duration(random.Int64N(int64(o.plan.cycle)))) {
		lane := o.lanes[random.IntN(len(o.lanes))]
		card, incident := o.someCard(lane, random)
		if incident == "" {
			continue
		}
		var err error
		switch text := strangersWords(incident, random); random.IntN(4) {
		case 0, 1:
			_, err = who.Click(ctx, playground.AtMessage(lane, card.TS), []string{"ack", "resolve"}[random.IntN(2)])
		case 2:
			_, err = who.Command(ctx, lane, "/notify", text)
		default:
			_, err = who.DM(text)
		}
		if err == nil {
			o.meddled.Add(1)
		}
	}
}

func strangersWords(incident string, random *rand.Rand) string {
	return []string{
		"ack " + incident, "resolve " + incident, "note " + incident + " from " + stranger, `silence severity>=warning for 2h`,
		"subscribe", "list",
	}[random.IntN(6)]
}

// someCard is a card in a lane and its incident; empty if there is none.
func (o *oracle) someCard(lane string, random *rand.Rand) (card playground.Message, incident string) {
	all := o.slack.Messages(lane)
	for range min(len(all), 20) {
		card = all[random.IntN(len(all))]
		if found := buttonValue.FindStringSubmatch(string(card.Attachments)); found != nil {
			return card, found[1]
		}
	}
	return card, ""
}

// meddled finds what shows that the stranger has changed something.
func (x *exhibit) meddled() []string {
	var all []string
	for _, e := range x.journal {
		if e.Message == nil || e.Kind == playground.KindEphemeral || !strings.Contains(e.Message.Text, stranger) && !strings.Contains(e.Message.Text, x.strangerID) {
			continue
		}
		if e.Message.User != x.strangerID {
			all = append(all, fmt.Sprintf("STRANGER: #%d in %s says %s", e.Seq, e.Channel, shown(*e.Message)))
		}
	}
	return all
}
