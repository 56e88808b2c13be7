package ingest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// mostMisfits is how many members of a wrong type notes name.
const mostMisfits = 20

// misfits names the members of JSON that into has no place for, because they are of
// another type. encoding/json names only the first of them.
func misfits(body []byte, into any) (notes []string) {
	var value any
	if json.Unmarshal(body, &value) != nil {
		return nil // it was read before
	}
	all := misfitFinder{fields: map[reflect.Type][]reflect.StructField{}}
	all.walk(reflect.TypeOf(into), value, "")
	for n, what := range all.found {
		if n == mostMisfits {
			return append(notes, "more members are of an unexpected type: left out")
		}
		notes = append(notes, what+": left out")
	}
	return notes
}

// misfitFinder collects the members of a wrong type. fields are those of the structs that it has
// seen: to list them takes longer than to read the members.
type misfitFinder struct {
	found  []string
	fields map[reflect.Type][]reflect.StructField
}

func (f *misfitFinder) walk(t reflect.Type, value any, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if len(f.found) > mostMisfits || value == nil || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return
	}
	if jsonKind(value) != kindOf(t) {
		f.found = append(f.found, fmt.Sprintf("%s is of an unexpected type, %s", path, jsonKind(value)))
		return
	}
	switch v := value.(type) {
	case map[string]any:
		f.walkMembers(t, v, path)
	case []any:
		for n := 0; n < len(v) && len(f.found) <= mostMisfits; n++ {
			f.walk(t.Elem(), v[n], fmt.Sprintf("%s[%d]", path, n))
		}
	}
}

func (f *misfitFinder) walkMembers(t reflect.Type, members map[string]any, path string) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		if t.Kind() == reflect.Map {
			f.walk(t.Elem(), members[name], at)
		} else if field, ok := f.memberOf(t, name); ok {
			f.walk(field, members[name], at)
		}
	}
}

// memberOf returns the type of a struct's field for a member, as encoding/json finds it.
func (f *misfitFinder) memberOf(t reflect.Type, member string) (reflect.Type, bool) {
	if f.fields[t] == nil {
		f.fields[t] = reflect.VisibleFields(t)
	}
	for _, field := range f.fields[t] {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = field.Name
		}
		if field.IsExported() && !field.Anonymous && strings.EqualFold(name, member) {
			return field.Type, true
		}
	}
	return nil, false
}

// kindOf is the kind of JSON that encoding/json reads into a type.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	}
	return "number"
}

func jsonKind(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case float64:
		return "number"
	case []any:
		return "array"
	}
	return "object"
}
