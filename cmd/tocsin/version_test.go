package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestTheVersionNamesTheCommit(t *testing.T) {
	commit := func(modified string) *debug.BuildInfo {
		return &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "46f3210aa0bb11cc22dd"}, {Key: "vcs.modified", Value: modified}}}
	}
	for want, b := range map[string]build{
		"tocsin v1.2.3 (commit 46f3210aa0bb, go":              buildOf("v1.2.3", commit("false")),
		"tocsin v1.2.3 (commit 46f3210aa0bb with changes, go": buildOf("v1.2.3", commit("true")),
		"tocsin devel-46f3210aa0bb (commit 46f3210aa0bb, go":  buildOf("", commit("false")),
		"tocsin v1.2.3 (go": buildOf("v1.2.3", nil),
		"tocsin devel (go":  buildOf("", &debug.BuildInfo{}),
	} {
		if got := b.text(); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
