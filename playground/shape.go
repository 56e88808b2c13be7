package playground

import (
	"bytes"
	"encoding/json"
	"strings"

	"tocsin/playground/mrkdwn"
)

// decodeAny reads one JSON value with nothing after it, keeping numbers as they were written. It returns nil for anything else.
func decodeAny(raw string) any {
	dec := json.NewDecoder(bytes.NewReader([]byte(raw)))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil || dec.More() {
		return nil
	}
	return v
}

func decodeObject(raw string) (map[string]any, bool) {
	object, ok := decodeAny(raw).(map[string]any)
	return object, ok
}

func decodeList(raw string) ([]any, *apiError) {
	list, ok := decodeAny(raw).([]any)
	if !ok {
		return nil, &apiError{Code: "invalid_array_arg"}
	}
	return list, nil
}

// decodeBlocks reads the blocks argument of a message.
func decodeBlocks(raw string) ([]any, *apiError) {
	list, err := decodeList(raw)
	if err != nil {
		return nil, &apiError{Code: "invalid_blocks_format"}
	}
	return list, nil
}

// normalizeBlocksLocked returns blocks as Slack gives them back: with a block_id each, and texts escaped and linked.
func (s *Server) normalizeBlocksLocked(blocks []any) []any {
	out := make([]any, 0, len(blocks))
	for _, b := range blocks {
		normal, ok := s.normalizeLocked(b).(map[string]any)
		if !ok {
			continue
		}
		if id, _ := normal["block_id"].(string); id == "" {
			normal["block_id"] = randomHex(3)[:5]
		}
		out = append(out, normal)
	}
	return out
}

// normalizeAttachmentsLocked does the same for attachments, and numbers them.
func (s *Server) normalizeAttachmentsLocked(attachments []any) []any {
	out := make([]any, 0, len(attachments))
	for i, a := range attachments {
		fields, ok := a.(map[string]any)
		if !ok {
			continue
		}
		normal := make(map[string]any, len(fields)+1)
		for key, v := range fields {
			normal[key] = s.attachmentFieldLocked(key, v)
		}
		normal["id"] = i + 1
		out = append(out, normal)
	}
	return out
}

func (s *Server) attachmentFieldLocked(key string, v any) any {
	if blocks, ok := v.([]any); ok && key == "blocks" {
		return s.normalizeBlocksLocked(blocks)
	}
	text, ok := v.(string)
	if !ok {
		return v
	}
	switch key {
	case "text", "pretext":
		return s.linkLocked(text, mrkdwn.Mode{Links: true})
	case "color":
		return strings.TrimPrefix(text, "#")
	default:
		return v
	}
}

// normalizeLocked copies a value and escapes and links the mrkdwn objects in it. Unlike a message's text they link names unless verbatim is set.
func (s *Server) normalizeLocked(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = s.normalizeLocked(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = s.normalizeLocked(v[key])
		}
		s.finishObjectLocked(out)
		return out
	default:
		return v
	}
}

func (s *Server) finishObjectLocked(o map[string]any) {
	text, isText := o["text"].(string)
	switch o["type"] {
	case "mrkdwn":
		if !isText {
			return
		}
		verbatim, _ := o["verbatim"].(bool)
		o["text"] = s.linkLocked(text, mrkdwn.Mode{Links: !verbatim, Names: !verbatim})
		o["verbatim"] = verbatim
	case "plain_text":
		if _, given := o["emoji"]; !given {
			o["emoji"] = true
		}
	default:
		kind, _ := o["type"].(string)
		if id, _ := o["action_id"].(string); id == "" && (valueField(kind) != "" || kind == "button" || kind == "overflow") {
			o["action_id"] = randomHex(3)[:5]
		}
	}
}

// fallbackText is the text that Slack gives a message with blocks and no text.
func fallbackText(blocks []any) string {
	var parts []string
	for _, b := range blocks {
		block, ok := b.(map[string]any)
		if !ok {
			continue
		}
		switch text := block["text"].(type) {
		case string:
			parts = append(parts, text)
		case map[string]any:
			if line, ok := text["text"].(string); ok {
				parts = append(parts, line)
			}
		}
	}
	return orDefault(strings.Join(parts, " "), "This content can't be displayed.")
}
