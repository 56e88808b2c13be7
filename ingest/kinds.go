package ingest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"tocsin/alert"
)

// CheckExpression returns what is wrong with an expression for its field, as a *Mistake; nil
// for nothing.
func CheckExpression(e Expression) error {
	program, err := compile(e.Source)
	if err != nil {
		return err
	}
	err = e.fits(program)
	if _, placed := errors.AsType[*Mistake](err); err == nil || placed {
		return err
	}
	return &Mistake{1, 1, err.Error()}
}

// fits says why the value of an expression can never be of use for its field: it is always
// of another kind, or always the same and refused.
func (e Expression) fits(program *vm.Program) error {
	node := program.Node()
	if !isConstant(node) {
		return e.fitsKind(kindOfType(node.Type()))
	}
	m := &meter{until: time.Now().Add(longest)}
	var machine vm.VM
	value, err := run(&machine, program, map[string]any{nameMeter: m}, m)
	if err != nil {
		return err
	}
	kind := kindOfType(reflect.TypeOf(value))
	switch {
	case value == nil:
		return fmt.Errorf("it is always nil, and %s needs %s", e.field(), e.wants())
	case (kind == aNumber || kind == aTruth) && e.textAlone():
		return fmt.Errorf("it is always %v, and %s needs %s: a text has quotes of its own", value, e.field(), e.wants())
	}
	if err := e.fitsKind(kind); err != nil {
		return err
	}
	return e.accepts(value)
}

// accepts tries a constant.
func (e Expression) accepts(value any) error {
	switch e.Field {
	case "each":
		return nil
	case "drop":
		_, err := truth(value)
		return err
	case "severity":
		word, err := textFrom(value)
		if _, known := alert.ParseSeverity(word); !known && err == nil {
			err = fmt.Errorf("%q is not a severity", word)
		}
		return err
	}
	notes, err := set(&alert.Alert{}, e, value)
	if err == nil && len(notes) > 0 {
		err = errors.New(notes[0])
	}
	return err
}

// The kinds of values, as messages name them.
const (
	aText   = "a text"
	aNumber = "a number"
	aTruth  = "true or false"
	aTime   = "a time"
	aList   = "a list"
	aMap    = "a map"
)

// kinds are those that a field can be made of.
func (e Expression) kinds() []string {
	switch e.Field {
	case "each":
		return []string{aList, aMap}
	case "drop":
		return []string{aTruth, aNumber, aText}
	case "labels":
		if e.Name == "" {
			return []string{aMap, aList}
		}
		return []string{aText, aNumber, aTruth, aTime, aList, aMap}
	case "links", "images":
		return []string{aText, aList, aMap}
	case "text":
		return []string{aText, aNumber, aTime, aList, aMap}
	case "status":
		return []string{aText, aNumber, aTruth}
	case "at":
		return []string{aTime, aText, aNumber}
	case "mention":
		return []string{aText, aList}
	}
	return []string{aText, aNumber, aTime}
}

// textAlone reports whether a number that is always the same is surely a mistake.
func (e Expression) textAlone() bool {
	switch e.Field {
	case "title", "text", "format", "key", "channel", "mention", "idempotency_key":
		return true
	}
	return false
}

// wants names the kinds for a field in a message.
func (e Expression) wants() string {
	if e.textAlone() {
		return aText
	}
	kinds := e.kinds()
	last := len(kinds) - 1
	return strings.Join(kinds[:last], ", ") + " or " + kinds[last]
}

func (e Expression) fitsKind(kind string) error {
	if kind == "" || slices.Contains(e.kinds(), kind) {
		return nil
	}
	return fmt.Errorf("it is always %s, and %s needs %s", kind, e.field(), e.wants())
}

// kindOfType is empty for what only a request can show.
func kindOfType(t reflect.Type) string {
	switch {
	case t == nil:
		return ""
	case t == reflect.TypeFor[time.Time]():
		return aTime
	}
	switch kind := t.Kind(); {
	case kind == reflect.String:
		return aText
	case kind == reflect.Bool:
		return aTruth
	case kind >= reflect.Int && kind <= reflect.Float64:
		return aNumber
	case kind == reflect.Slice, kind == reflect.Array:
		return aList
	case kind == reflect.Map:
		return aMap
	}
	return ""
}

// isConstant reports whether an expression uses nothing of a request.
func isConstant(node ast.Node) bool {
	found := &ofRequest{}
	ast.Walk(&node, found)
	return !found.any
}

// ofRequest finds names of the request's parts.
type ofRequest struct{ any bool }

// Visit looks at one node.
func (o *ofRequest) Visit(node *ast.Node) {
	if name, ok := (*node).(*ast.IdentifierNode); ok {
		o.any = o.any || name.Value == nameBody || name.Value == nameItem || name.Value == nameHeaders
	}
}
