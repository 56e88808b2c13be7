package api

import "testing"

func TestHalvesOfSurrogatePairsAreFound(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, `a`: false, `\n`: false, `\u00e9\n`: false, `\ud83d\ude00`: false, `\ud83d\ude00\ud83d\ude00 \" end`: false, `\\ud83d is text`: false,
		`\ud83d`: true, `\ude00`: true, `\ud83d \ude00`: true, `\ud83d\ud83d\ude00`: true, `\ud83d\n and more`: true, `\ud83d\u0041`: true, `\ud83d and more`: true,
	} {
		if got := loneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
