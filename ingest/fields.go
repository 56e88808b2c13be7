package ingest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// set puts the value of an expression into its field of an alert. notes say what of it has
// no place there.
func set(a *alert.Alert, e Expression, value any) (notes []string, err error) {
	switch e.Field {
	case "labels":
		return setLabels(a, e.Name, value)
	case "links", "images":
		return setLinks(a, e.Field, value)
	}
	return nil, setText(a, e.Field, value)
}

// setText is set for a field with one value.
func setText(a *alert.Alert, field string, value any) error {
	if firing, ok := value.(bool); ok && field == "status" {
		value = map[bool]string{true: string(alert.Firing), false: string(alert.Resolved)}[firing]
	}
	if list, ok := listFrom(value); ok && field == "mention" {
		joined, err := join([]any{list, ", "})
		if err != nil {
			return err
		}
		value = joined
	}
	s, err := textFrom(value)
	if s = strings.TrimSpace(s); err != nil || s == "" {
		return err
	}
	if text := a.TextField(field); text != nil {
		*text = s
		return nil
	}
	switch field {
	case "at":
		a.At, err = alert.ParseTime(s)
	case "expires_in":
		a.ExpiresIn, err = alert.ParseExpiry(s)
	}
	if err != nil {
		return fmt.Errorf("%q is %w", shortened(s), err)
	}
	return nil
}

// shortened is the beginning of a text for a message.
func shortened(s string) string {
	const most = 60
	if runes := []rune(s[:min(len(s), most*utf8.UTFMax)]); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// setLabels adds one label, or all of a value.
func setLabels(a *alert.Alert, name string, value any) (notes []string, err error) {
	if a.Labels == nil {
		a.Labels = map[string]string{}
	}
	if name != "" {
		s, err := textFrom(value)
		labels(a.Labels).addSaid(name, s)
		return nil, err
	}
	if value == nil {
		return nil, nil
	}
	all, isMap := value.(map[string]any)
	if !isMap {
		if all, notes, err = labelsFrom(value); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text, err := textFrom(all[name])
		switch {
		case err != nil:
			return notes, err
		case name == "" && text != "":
			notes = append(notes, fmt.Sprintf("labels: %q has no name: left out", shortened(text)))
		}
		labels(a.Labels).addSaid(name, text)
	}
	return notes, nil
}

// labelsFrom reads labels from a value that is not a map of names.
func labelsFrom(value any) (read map[string]any, notes []string, err error) {
	asJSON, err := jsonFrom(value)
	if err != nil {
		return nil, nil, err
	}
	var all labels
	if err := json.Unmarshal([]byte(asJSON), &all); err != nil {
		return nil, nil, err
	}
	read = make(map[string]any, len(all))
	for name, text := range all {
		read[name] = text
	}
	if asJSON[0] != '[' && asJSON[0] != '{' && asJSON[0] != '"' {
		notes = []string{fmt.Sprintf("labels is %s, and should be a map or a list: kept as the label tags", kindName(value))}
	}
	return read, notes, nil
}

// setLinks adds links or images: an address, an object of labels and addresses, or a list
// of addresses or of objects with a label and an address.
func setLinks(a *alert.Alert, field string, value any) (notes []string, err error) {
	if value == nil {
		return nil, nil
	}
	asJSON, err := jsonFrom(value)
	if err != nil {
		return nil, err
	}
	var all addresses
	if err := json.Unmarshal([]byte(asJSON), &all); err != nil {
		return nil, err
	}
	more := 0
	for _, l := range all {
		address := strings.TrimSpace(l.URL)
		switch {
		case address == "":
		case !isAddress(address) && len(notes) == mostMisfits:
			more++
		case !isAddress(address):
			notes = append(notes, fmt.Sprintf("%s: %q is not a web address: left out", field, shortened(address)))
		case field == "images":
			a.Images = addImage(a.Images, address, l.Label)
		default:
			a.Links = addLink(a.Links, l.Label, address)
		}
	}
	if more > 0 {
		notes = append(notes, fmt.Sprintf("%s: %d more are not web addresses: left out", field, more))
	}
	return notes, nil
}

// addresses are web addresses with what to call them.
type addresses []alert.Link

// UnmarshalJSON accepts every value.
func (l *addresses) UnmarshalJSON(value []byte) error {
	var one struct{ Label, Title, Text, Alt, Name, URL, Href, Src text }
	var named map[string]text
	var list []addresses
	switch {
	case value[0] == '[':
		if err := json.Unmarshal(value, &list); err != nil {
			return err
		}
		for _, element := range list {
			*l = append(*l, element...)
		}
	case value[0] == '{' && json.Unmarshal(value, &one) == nil && or(one.URL, one.Href, one.Src) != "":
		*l = addresses{{Label: or(one.Label, one.Title, one.Text, one.Alt, one.Name), URL: or(one.URL, one.Href, one.Src)}}
	case value[0] == '{' && json.Unmarshal(value, &named) == nil:
		for _, name := range slices.Sorted(maps.Keys(named)) {
			*l = append(*l, alert.Link{Label: name, URL: string(named[name])})
		}
	default:
		*l = addresses{{URL: alert.JSONText(value)}}
	}
	return nil
}
