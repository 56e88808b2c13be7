package api

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// readable returns the body as UTF-8 without a byte order mark, NUL bytes and blank lines
// around it, and a note of each repair. A form's values are encoded as UTF-8 then, too.
func readable(kind, charset string, body []byte) (clean []byte, notes []string) {
	body, notes = decoded(kind, charset, body)
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\ufffd"))
		notes = append(notes, "bytes that are not UTF-8 are shown as \ufffd; send UTF-8, or name the charset in the content type")
	}
	if bytes.IndexByte(body, 0) >= 0 {
		body = bytes.ReplaceAll(body, []byte{0}, nil)
		notes = append(notes, "NUL characters are removed")
	}
	if strings.HasSuffix(kind, "json") && loneSurrogate(body) {
		notes = append(notes, "half of a surrogate pair is shown as \ufffd")
	}
	body = bytes.TrimRight(body, " \t\r\n")
	blank := body[:len(body)-len(bytes.TrimLeft(body, " \t\r\n"))]
	return body[bytes.LastIndexByte(blank, '\n')+1:], notes // the first line may be indented
}

// loneSurrogate reports whether JSON has an escaped half of a surrogate pair without the other.
func loneSurrogate(body []byte) bool {
	for {
		at := bytes.IndexByte(body, '\\')
		if at < 0 {
			return false
		}
		code, ok := escapedCode(body[at:])
		switch {
		case !ok:
			body = body[min(at+2, len(body)):]
		case !utf16.IsSurrogate(code):
			body = body[at+6:]
		default:
			other, ok := escapedCode(body[at+6:])
			if !ok || utf16.DecodeRune(code, other) == utf8.RuneError {
				return true
			}
			body = body[at+12:]
		}
	}
}

// escapedCode reads an escape such as \u00e9 at the beginning of a text.
func escapedCode(text []byte) (code rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}

// decoded returns the body in UTF-8 if the charset is known, and a note if it is not.
func decoded(kind, charset string, body []byte) (plain []byte, notes []string) {
	if charset == "" && (bytes.HasPrefix(body, []byte{0xff, 0xfe}) || bytes.HasPrefix(body, []byte{0xfe, 0xff})) {
		charset = "utf-16" // as PowerShell writes it
	}
	name := plainName(charset)
	if slices.Contains([]string{"", "utf8", "usascii", "ascii"}, name) {
		return body, nil
	}
	enc := encodingOf(charset)
	if enc == nil {
		return body, []string{fmt.Sprintf("the charset %q is unknown: read as UTF-8", charset)}
	}
	plain, err := enc.NewDecoder().Bytes(body)
	if err != nil {
		return body, nil
	}
	if kind == form && !strings.HasPrefix(name, "utf") && !bytes.ContainsFunc(plain, encodedInForms) {
		plain = []byte(encodedAsUTF8(string(plain), enc, isASCII))
	}
	return plain, nil
}

// queryOf is the query of an address. A value in it that is not UTF-8 has the charset of the
// body.
func queryOf(address *url.URL, charset string) url.Values {
	var enc encoding.Encoding
	if strings.Contains(address.RawQuery, "%") {
		enc = encodingOf(charset)
	}
	if enc == nil {
		return address.Query()
	}
	values, _ := url.ParseQuery(encodedAsUTF8(address.RawQuery, enc, utf8.ValidString)) // as Query does
	return values
}

// encodedAsUTF8 is a form whose encoded values are in enc, except for those that are fine.
func encodedAsUTF8(pairs string, enc encoding.Encoding, fine func(value string) bool) string {
	all := strings.Split(pairs, "&")
	for n, pair := range all {
		name, value, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil || fine(plain) {
			continue
		}
		if plain, err = enc.NewDecoder().String(plain); err == nil {
			all[n] = name + "=" + url.QueryEscape(plain)
		}
	}
	return strings.Join(all, "&")
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
}

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

// spelling is what is written in different ways in the names of charsets and fields.
var spelling = strings.NewReplacer("-", "", "_", "", " ", "", ".", "", "@", "")

// plainName is a name without that: started_at and startedAt are the same.
func plainName(name string) string { return spelling.Replace(strings.ToLower(name)) }
