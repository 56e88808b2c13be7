package handlers

import (
	"slices"
	"strings"
)

// Words of other tools, and of polite people.
const (
	beforeCommands = "notify /notify please pls plz kindly can could would you tocsin amtool pd"
	wordsToEnd     = "end expire delete remove rm cancel stop lift"
	wordsToList    = "list ls query show get all active"
	otherLists     = "silences mutes heartbeats queue deliveries subscriptions oncall stats status"
)

func isOneOf(word, words string) bool { return slices.Contains(strings.Fields(words), word) }

// inOurWords is what somebody said in the words of other tools, or with the incident first, as
// a command begins here: amtool silence add service=db, delete silence s-k7f2, k7f2 ack.
func inOurWords(said phrase) phrase {
	said = afterGreeting(said)
	if len(said.words) < 2 {
		return said
	}
	if silences, ok := aboutSilences(said); ok {
		return silences
	}
	if incidents, ok := aboutIncidents(said); ok {
		return incidents
	}
	return idsLast(said)
}

// aboutIncidents reads a kind of thing and what is to be done: incident ack k7f2, alert query.
func aboutIncidents(said phrase) (phrase, bool) {
	first, second, behind := said.words[0].key, said.words[1].key, said.from(2)
	noun, alone := strings.TrimSuffix(first, "s"), len(behind.words) == 0
	switch c, _ := commandOf(second); {
	case noun == "incident" && c.parse != nil, alone && isOneOf(first, wordsToList) && isOneOf(second, otherLists):
		return said.from(1), true
	case noun == "alert" && isOneOf(second, wordsToList):
		return read("list " + behind.text), true
	case alone && first == "status" && idShape.MatchString(second):
		return read("show " + second), true
	}
	return said, false
}

func afterGreeting(said phrase) phrase {
	for len(said.words) > 0 && isOneOf(said.words[0].key, beforeCommands) {
		said = said.from(1)
	}
	return said
}

// aboutSilences reads what amtool's users say of silences: silence add, expire and query.
func aboutSilences(said phrase) (phrase, bool) {
	first, second, behind := said.words[0].key, said.words[1].key, said.from(2)
	isSilence, alone := strings.TrimSuffix(first, "s") == "silence", len(behind.words) == 0
	switch {
	case isSilence && second == "add" && !alone:
		return read("silence " + behind.text), true
	case isSilence && isOneOf(second, wordsToEnd), strings.TrimSuffix(second, "s") == "silence" && isOneOf(first, wordsToEnd):
		return read("unsilence " + behind.text), true
	case isSilence && isOneOf(second, wordsToList) && alone:
		return read("silences"), true
	}
	return said, false
}

// idsLast is a phrase in which the ids of incidents are behind the command: k7f2 ack.
func idsLast(said phrase) phrase {
	n := slices.IndexFunc(said.words, func(w token) bool { _, isID := idsOf(w, 0); return !isID })
	if n < 1 {
		return said
	}
	if c, _ := commandOf(said.words[n].key); !c.here {
		return said
	}
	return read(said.words[n].key + " " + said.until(n).text + " " + said.from(n+1).text)
}
