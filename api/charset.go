package api

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// readable returns the body as UTF-8 without a byte order mark, NUL bytes and blank lines
// around it, and a note of each repair.
func readable(body []byte, charset string) (clean []byte, notes []string) {
	if charset == "" && (bytes.HasPrefix(body, []byte{0xff, 0xfe}) || bytes.HasPrefix(body, []byte{0xfe, 0xff})) {
		charset = "utf-16" // as PowerShell writes it
	}
	if name := plainName(charset); name != "" && name != "utf8" && name != "usascii" && name != "ascii" {
		enc := encodingOf(charset)
		if enc == nil {
			notes = append(notes, fmt.Sprintf("the charset %q is unknown: read as UTF-8", charset))
		} else if decoded, err := enc.NewDecoder().Bytes(body); err == nil {
			body = decoded
		}
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\ufffd"))
		notes = append(notes, "bytes that are not UTF-8 are shown as \ufffd; send UTF-8, or name the charset in the content type")
	}
	if bytes.IndexByte(body, 0) >= 0 {
		body = bytes.ReplaceAll(body, []byte{0}, nil)
		notes = append(notes, "NUL characters are removed")
	}
	return blankLines.ReplaceAll(bytes.TrimRight(body, " \t\r\n"), nil), notes
}

// blankLines are those in front of a body, whose first line may be indented.
var blankLines = regexp.MustCompile(`^(?:[ \t\r]*\n)+`)

// encodingOf returns the encoding of this name; nil for an unknown one.
func encodingOf(charset string) encoding.Encoding {
	switch plainName(charset) {
	case "latin1", "l1", "iso88591":
		return charmap.Windows1252 // as in web browsers
	case "latin9":
		return charmap.ISO8859_15
	case "cp850", "ibm850", "850":
		return charmap.CodePage850
	case "cp437", "ibm437", "437":
		return charmap.CodePage437
	case "utf16":
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case "utf16le":
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case "utf16be":
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	if enc, err := htmlindex.Get(charset); err == nil {
		return enc
	}
	return nil
}

// plainName is a charset's name without what is written in different ways.
func plainName(charset string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(charset))
}
