package alert

import "bytes"

// MaxJSONDepth is how deep lists and objects in JSON from outside may be nested. What
// tools send has a tenth of it.
const MaxJSONDepth = 100

// JSONShape returns how deep lists and objects are nested in JSON, and how many commas
// separate values, both counted only until depth is above MaxJSONDepth. It is a
// quick look before decoding, which for nested brackets takes a hundred times as long as
// for text, and says nothing about whether the JSON is valid.
func JSONShape(body []byte) (depth, commas int) {
	open := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = endOfString(body, i+1)
		case '[', '{':
			if open++; open > depth {
				depth = open
			}
			if depth > MaxJSONDepth {
				return depth, commas
			}
		case ']', '}':
			open--
		case ',':
			commas++
		}
	}
	return depth, commas
}

// endOfString returns where the string ends that begins at i: at its closing quote.
func endOfString(body []byte, i int) int {
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
