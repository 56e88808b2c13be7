package alert

import (
	"bytes"
	"encoding/json"
)

// MaxJSONDepth is how deep lists and objects in JSON from outside may be nested. What
// tools send has a tenth of it.
const MaxJSONDepth = 100

// JSONShape is what a quick look tells about JSON from outside. It says nothing about
// whether the JSON is valid.
type JSONShape struct {
	// Depth is how deep lists and objects are nested.
	Depth int
	// Commas is how many commas separate values, and Outer how many of these are
	// directly in the outermost list or object.
	Commas, Outer int
	// Longest is how many commas the list or object has that has the most, and Widest how
	// many members the object that has the most.
	Longest, Widest int
}

// ShapeOf looks at JSON before it is decoded, which for nested brackets takes a hundred
// times as long as for text. It stops where they are nested deeper than MaxJSONDepth.
func ShapeOf(body []byte) (s JSONShape) {
	open := 0
	var at [MaxJSONDepth + 2]struct{ commas, colons int } // of what is open at each depth
	for i := 0; i < len(body) && s.Depth <= MaxJSONDepth; i++ {
		switch body[i] {
		case '"':
			i = EndOfJSONText(body, i+1)
		case '[', '{':
			open++
			s.Depth = max(s.Depth, open)
			at[max(open, 0)] = struct{ commas, colons int }{}
		case ']', '}':
			open--
		case ',':
			if s.Commas++; open == 1 {
				s.Outer++
			}
			here := &at[max(open, 0)]
			here.commas++
			s.Longest = max(s.Longest, here.commas)
		case ':':
			here := &at[max(open, 0)]
			here.colons++
			s.Widest = max(s.Widest, here.colons)
		}
	}
	return s
}

// EndOfJSONText returns where a text in JSON has its closing quote, if its content begins
// at i; the end of body if there is none.
func EndOfJSONText(body []byte, i int) int {
	for i < len(body) {
		n := bytes.IndexByte(body[i:], '"')
		if n < 0 {
			return len(body)
		}
		end := i + n
		escapes := 0
		for end-escapes-1 >= i && body[end-escapes-1] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return end
		}
		i = end + 1
	}
	return i
}

// JSONText is a valid JSON value, without blanks around it, as text: the content of a string,
// nothing for null or where there is none, and any other value as it is written, without blanks
// in it.
func JSONText(value []byte) string {
	if len(value) == 0 {
		return ""
	}
	switch value[0] {
	case '"':
		if bytes.IndexByte(value, '\\') < 0 {
			return string(value[1 : len(value)-1])
		}
		var s string
		if json.Unmarshal(value, &s) == nil {
			return s
		}
	case '{', '[':
		var compact bytes.Buffer
		if json.Compact(&compact, value) == nil {
			return compact.String()
		}
	case 'n':
		return ""
	}
	return string(value)
}
