package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
	"github.com/expr-lang/expr/vm/runtime"
)

// Mistake is what is wrong with an expression.
type Mistake struct {
	// Line and Column are where, from 1.
	Line, Column int
	// Message says what.
	Message string
}

func (m *Mistake) Error() string { return fmt.Sprintf("%s at %d:%d", m.Message, m.Line, m.Column) }

// The limits of expressions. A body has at most 1 MiB and mostValues values, so that
// expressions that mean something stay far below them.
const (
	// longestExpression and mostNodes limit what is compiled: bytes, and parts of it.
	longestExpression = 10_000
	mostNodes         = 1_000
	// mostSteps is how often the loops of all expressions may turn for one request.
	mostSteps = 1_000_000
	// longest is how long they may take. It is looked at before each expression and in
	// loops.
	longest = 2 * time.Second
	// longestText is how many bytes a text may have, also one that stands for a value.
	longestText = 4 << 20
	// mostElements is how many elements a list may have.
	mostElements = 1_000_000
)

var errTooLong = fmt.Errorf("the text is longer than %d bytes", longestText)

// The names of what an expression can use. nameMeter and nameStep can't be written in one.
const (
	nameBody    = "body"
	nameHeaders = "headers"
	nameItem    = "item"
	nameMeter   = "meter of the request"
	nameStep    = "step of a loop"
	namePlus    = "sum or text"
	nameElement = "element or nil"
)

// meter limits the expressions of one request.
type meter struct {
	steps int
	until time.Time
}

func (m *meter) step() error {
	m.steps++
	if m.steps > mostSteps {
		return fmt.Errorf("the loops of the expressions turn more than %d times", mostSteps)
	}
	return m.check()
}

func (m *meter) check() error {
	if time.Now().After(m.until) {
		return fmt.Errorf("the expressions take longer than %s", longest)
	}
	return nil
}

// compile compiles an expression. The error is a *Mistake.
func compile(source string) (*vm.Program, error) {
	if len(source) > longestExpression {
		return nil, &Mistake{1, 1, fmt.Sprintf("it is longer than %d bytes", longestExpression)}
	}
	program, err := expr.Compile(source, append(functions(),
		expr.Env(types.Map{nameBody: types.Any, nameHeaders: types.Map{types.Extra: types.String}, nameItem: types.Any, nameMeter: types.Any}),
		expr.MaxNodes(mostNodes), expr.Patch(&lenient{}))...)
	var at *file.Error
	switch {
	case err == nil:
		return program, nil
	case errors.As(err, &at):
		return nil, &Mistake{max(at.Line, 1), at.Column + 1, at.Message}
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	return nil, &Mistake{1, 1, message}
}

// lenient changes an expression so that what is missing is nil, also an element of a list,
// + joins a text with anything, and loops are counted.
type lenient struct{}

// Visit changes a node whose children are changed already.
func (*lenient) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.MemberNode:
		_, named := n.Property.(*ast.StringNode)
		if of := pathOf(n.Node); !n.Method && !(named && of == nameHeaders) { // a header is a text
			ast.Patch(node, call(nameElement, n.Node, n.Property, &ast.StringNode{Value: of}))
		}
	case *ast.BinaryNode:
		if n.Operator == "+" {
			ast.Patch(node, call(namePlus, n.Left, n.Right))
		}
	case *ast.PredicateNode:
		ast.Patch(&n.Node, call(nameStep, &ast.IdentifierNode{Value: nameMeter}, n.Node))
	}
}

// pathOf is how an expression names a value, of which the elements are changed already.
func pathOf(node ast.Node) string {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.PointerNode:
		return "#" + n.Name
	case *ast.IntegerNode:
		return n.String()
	case *ast.StringNode:
		return n.String()
	case *ast.ChainNode:
		return pathOf(n.Node)
	case *ast.CallNode:
		if of, isName := n.Callee.(*ast.IdentifierNode); !isName || of.Value != nameElement {
			break
		}
		of, name := pathOf(n.Arguments[0]), pathOf(n.Arguments[1])
		if plain, err := strconv.Unquote(name); err == nil && identifier.MatchString(plain) {
			return of + "." + plain
		}
		return of + "[" + name + "]"
	}
	return "it"
}

var identifier = regexp.MustCompile(`^[\pL_$][\pL\pN_$]*$`)

func call(name string, arguments ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: arguments}
}

// run evaluates an expression. The error is a *Mistake if it has a place.
func run(machine *vm.VM, program *vm.Program, env map[string]any, m *meter) (any, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	value, err := machine.Run(program, env)
	var at *file.Error
	if errors.As(err, &at) {
		return nil, &Mistake{max(at.Line, 1), at.Column + 1, inWords(at.Message)}
	}
	return value, err
}

// inWords says what expr says about Go's types about kinds of values.
func inWords(message string) string {
	for _, known := range []struct {
		shape *regexp.Regexp
		words string
	}{
		{notOfType, "it is $1, and has to be $2"},
		{noOperation, "$1 $2 $3 can't be worked out"},
		{noArgument, "$1 can't be used for $2"},
	} {
		if found := known.shape.FindStringSubmatch(message); found != nil {
			for n, part := range found {
				if n > 0 {
					known.words = strings.ReplaceAll(known.words, fmt.Sprintf("$%d", n), typeInWords(part))
				}
			}
			return known.words
		}
	}
	return message
}

// The messages of expr that inWords knows.
var (
	notOfType   = regexp.MustCompile(`^interface conversion: interface \{\} is (.+), not (.+)$`)
	noOperation = regexp.MustCompile(`^invalid operation: (.+) ([-+*/%<>=!^]+) (.+)$`)
	noArgument  = regexp.MustCompile(`^invalid argument for (\S+) \(type (.+)\)$`)
)

func typeInWords(goType string) string {
	switch {
	case goType == "string":
		return aText
	case goType == "bool":
		return aTruth
	case goType == "<nil>":
		return "nil"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "float"), strings.HasPrefix(goType, "uint"):
		return aNumber
	case strings.HasPrefix(goType, "[]"):
		return aList
	case strings.HasPrefix(goType, "map["):
		return aMap
	}
	return goType
}

// functions are those that the library lacks, and those of its own that could make much
// of little.
func functions() []expr.Option {
	all := []expr.Option{
		expr.DisableBuiltin("mean"), expr.DisableBuiltin("median"),
		function(nameStep, 2, func(args []any) (any, error) {
			return args[1], args[0].(*meter).step()
		}),
		function(namePlus, 2, func(args []any) (any, error) { return plus(args[0], args[1]) }),
		function(nameElement, 3, func(args []any) (any, error) { return elementOf(args[0], args[1], args[2]) }),
		function("string", 1, func(args []any) (any, error) { return textFrom(args[0]) }),
		function("toJSON", 1, func(args []any) (any, error) { return jsonFrom(args[0]) }),
		function("repeat", 2, func(args []any) (any, error) { return repeat(args[0], args[1]) }),
		function("replace", 3, func(args []any) (any, error) { return replace(args[0], args[1], args[2]) }),
		function("uniq", 1, func(args []any) (any, error) { return uniq(args[0]) }),
		function("flatten", 1, func(args []any) (any, error) { return flatten(nil, args[0]) }),
		function("concat", -1, func(args []any) (any, error) { return concat(args) }),
		function("join", -1, func(args []any) (any, error) { return join(args) }),
	}
	return all
}

// function is a function with this number of arguments; any number if it is negative.
func function(name string, arguments int, do func(args []any) (any, error)) expr.Option {
	return expr.Function(name, func(args ...any) (any, error) {
		if arguments >= 0 && len(args) != arguments {
			return nil, fmt.Errorf("%s needs %d arguments and has %d", name, arguments, len(args))
		}
		return do(args)
	})
}

// elementOf returns an element of a list, or a member of a map; nil if it is not there. The
// error says why there can be none, of a value with this path.
func elementOf(of, index, path any) (any, error) {
	name, named := index.(string)
	switch v := reflect.ValueOf(of); v.Kind() {
	case reflect.Invalid:
		return nil, nil
	case reflect.Slice, reflect.Array:
		if named {
			return nil, fmt.Errorf("%s is %s, and has no member %q", path, aList, name)
		}
		if n, ok := index.(int); ok && (n >= v.Len() || n < -v.Len()) {
			return nil, nil
		}
	case reflect.Map:
		if !named {
			return nil, fmt.Errorf("%s is %s, and has no element %v: its members have names", path, aMap, index)
		}
	case reflect.Struct: // a time, which has methods
	default:
		return nil, noElement(v, path, named)
	}
	return runtime.Fetch(of, index), nil
}

// noElement says that a value has neither elements nor members.
func noElement(v reflect.Value, path any, named bool) error {
	if v.Kind() == reflect.String && !named {
		return fmt.Errorf("%s is %s, and has no elements: %s[0:1] is its first character", path, aText, path)
	}
	return fmt.Errorf("%s is %s, and has no members", path, cmp.Or(kindOfType(v.Type()), v.Type().String()))
}

// plus joins texts, one of which may be any value, and adds numbers.
func plus(a, b any) (any, error) {
	_, aText := a.(string)
	_, bText := b.(string)
	if !aText && !bText && a != nil && b != nil {
		return runtime.Add(a, b), nil
	}
	left, err := textFrom(a)
	if err != nil {
		return nil, err
	}
	right, err := textFrom(b)
	if err != nil {
		return nil, err
	}
	if len(left)+len(right) > longestText {
		return nil, errTooLong
	}
	return left + right, nil
}

func repeat(text, times any) (any, error) {
	s, isText := text.(string)
	n, isNumber := times.(int)
	switch {
	case !isText || !isNumber || n < 0:
		return nil, errors.New("repeat needs a text and a number of times")
	case n > 0 && len(s) > longestText/n:
		return nil, errTooLong
	}
	return strings.Repeat(s, n), nil
}

func replace(text, old, by any) (any, error) {
	var s [3]string
	for n, v := range []any{text, old, by} {
		var err error
		if s[n], err = textFrom(v); err != nil {
			return nil, err
		}
	}
	if len(s[0])+strings.Count(s[0], s[1])*len(s[2]) > longestText {
		return nil, errTooLong
	}
	return strings.ReplaceAll(s[0], s[1], s[2]), nil
}

// join joins the texts of a list with a separator, which may be left out.
func join(args []any) (any, error) {
	if len(args) == 0 || len(args) > 2 {
		return nil, fmt.Errorf("join needs a list and a separator, and has %d arguments", len(args))
	}
	list, ok := listFrom(args[0])
	if !ok {
		return nil, fmt.Errorf("join needs a list, and has %s", kindName(args[0]))
	}
	separator := ""
	if len(args) == 2 {
		var err error
		if separator, err = textFrom(args[1]); err != nil {
			return nil, err
		}
	}
	var joined strings.Builder
	for n, v := range list {
		s, err := textFrom(v)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			joined.WriteString(separator)
		}
		if joined.WriteString(s); joined.Len() > longestText {
			return nil, errTooLong
		}
	}
	return joined.String(), nil
}

// uniq keeps the first of equal elements.
func uniq(v any) (any, error) {
	list, ok := listFrom(v)
	if !ok {
		return nil, fmt.Errorf("uniq needs a list, and has %s", kindName(v))
	}
	kept, seen, room := []any{}, map[string]bool{}, longestText
	for _, element := range list {
		key, err := jsonFrom(element)
		if err != nil {
			return nil, err
		}
		if room -= len(key); room < 0 {
			return nil, errTooLong
		}
		if !seen[key] {
			seen[key], kept = true, append(kept, element)
		}
	}
	return kept, nil
}

// flatten appends the elements of a list, and those of the lists in it, to all.
func flatten(all []any, v any) ([]any, error) {
	list, ok := listFrom(v)
	if !ok {
		return nil, fmt.Errorf("flatten needs a list, and has %s", kindName(v))
	}
	for _, element := range list {
		if _, nested := listFrom(element); nested {
			var err error
			if all, err = flatten(all, element); err != nil {
				return nil, err
			}
			continue
		}
		if all = append(all, element); len(all) > mostElements {
			return nil, fmt.Errorf("the list has more than %d elements", mostElements)
		}
	}
	return all, nil
}

func concat(lists []any) (any, error) {
	all := []any{}
	for _, v := range lists {
		list, ok := listFrom(v)
		switch {
		case !ok:
			return nil, fmt.Errorf("concat needs lists, and has %s", kindName(v))
		case len(all)+len(list) > mostElements:
			return nil, fmt.Errorf("the list has more than %d elements", mostElements)
		}
		all = slices.Concat(all, list)
	}
	return all, nil
}
