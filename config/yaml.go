package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile is far above any sensible configuration and far below what hurts.
const maxFile = 1 << 20

// section is what belongs together in the file: the file itself, a route, a step
// of a route, or its quiet hours.
type section struct {
	at     Origin
	values map[string]given // by dotted key
	// mentioned holds the keys that it sets or means to set, also badly.
	mentioned map[string]Origin
	// groups are the routes and times of the file, or the steps and quiet hours of a route.
	groups map[string][]section
}

func newSection(at Origin) section {
	return section{at: at, values: map[string]given{}, mentioned: map[string]Origin{}, groups: map[string][]section{}}
}

func (s section) mentions(key string) bool {
	_, ok := s.mentioned[key]
	return ok
}

type document struct {
	section
	path  string
	lines []string
	// broken is set when the file could not be read or parsed, so that what
	// is missing from values may well be in it.
	broken bool
}

// placeToWrite is the file a person should add a line to.
func (d document) placeToWrite(in Input) string {
	if d.path != "" {
		return d.path
	}
	paths, _, _ := in.configPaths()
	return paths[0]
}

// readDocument finds, reads and walks the YAML file. The walk goes on after a
// mistake, where decoding into a struct would stop at the first one.
func (l *loader) readDocument() {
	l.doc.section = newSection(Origin{})
	content, ok := l.readConfigFile()
	if !ok {
		return
	}
	if len(content) > maxFile {
		l.brokenFile(Problem{Where: l.doc.path, Message: "is larger than 1 MiB", Fix: "name a configuration file (tocsin config example prints one)"})
		return
	}
	if bytes.HasPrefix(content, []byte("\xff\xfe")) || bytes.HasPrefix(content, []byte("\xfe\xff")) {
		l.brokenFile(Problem{Where: l.doc.path, Message: "is in UTF-16", Fix: "save it as UTF-8"})
		return
	}
	content = bytes.TrimPrefix(content, []byte("\ufeff")) // some editors begin UTF-8 with it
	l.doc.lines = strings.Split(string(content), "\n")
	file, err := parse(content)
	if err != nil {
		l.brokenFile(l.syntaxProblem(err))
		return
	}
	l.walkFile(file)
}

func (l *loader) brokenFile(p Problem) {
	l.doc.broken = true
	l.fail(p)
}

func (l *loader) readConfigFile() (content []byte, ok bool) {
	paths, from, named := l.in.configPaths()
	for _, path := range paths {
		content, err := l.in.ReadFile(path)
		if err == nil {
			l.doc.path = path
			return content, true
		}
		missing := errors.Is(err, fs.ErrNotExist)
		if missing && !named {
			continue
		}
		l.brokenFile(unreadableConfig(path, from, err, missing))
		return nil, false
	}
	return nil, false
}

func unreadableConfig(path string, from Origin, err error, missing bool) Problem {
	p := Problem{
		Where:   path,
		Message: "cannot be read: " + reason(err),
		Fix:     "make it readable for the user Tocsin runs as, or name another file with --config",
	}
	if missing {
		p.Message, p.Fix = "cannot be read: "+missingFile, "name an existing file, or make one with tocsin config example > "+shellQuote(path)
	}
	if from.kind != fromDefault {
		p.Where = from.where()
		p.Message = path + " " + p.Message
	}
	return p
}

// parse turns a panic of the parser into an error: the file is not ours.
func parse(content []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("not YAML that can be understood")
		}
	}()
	return parser.ParseBytes(content, 0, parser.AllowDuplicateMapKey())
}

// syntaxProblem uses the parser's message without its excerpt of the file,
// which may show a token.
func (l *loader) syntaxProblem(err error) Problem {
	from := Origin{kind: fromYAML, place: l.doc.path, line: 1, column: 1}
	message, fix := "is not YAML", "check the indentation and quotes of this line and the one before it"
	if yamlErr, ok := errors.AsType[yaml.Error](err); ok {
		if token := yamlErr.GetToken(); token != nil && token.Position != nil {
			from.line, from.column = max(token.Position.Line, 1), max(token.Position.Column, 1)
		}
		message = "is not YAML: " + printableTokens(strings.Join(strings.Fields(yamlErr.GetMessage()), " "))
	}
	switch line := l.doc.line(from.line); {
	case strings.Contains(line, ": @"):
		fix = `put a value that begins with @ in quotes: "@name"`
	case strings.Contains(message, "mapping value is not allowed") && strings.Count(line, ": ") > 1:
		fix = "put a value with a colon and a blank in it in quotes, or below its name after >-"
	case strings.HasPrefix(line, "\t"):
		fix = "indent with spaces, not tabs"
	}
	return from.problem(message, fix)
}

func (d document) line(number int) string {
	if number < 1 || number > len(d.lines) {
		return ""
	}
	return d.lines[number-1]
}

func (l *loader) walkFile(file *ast.File) {
	seen := false
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if seen {
			l.fail(l.at(doc.Body).problem("a second document begins here, and only one is read", "remove the --- and everything below it"))
			return
		}
		seen = true
		l.walk(l.doc.section, "", doc.Body)
	}
}

// at returns a node's place in the file. The parser puts a group of options at
// its first colon, a person at its first name.
func (l *loader) at(node ast.Node) Origin {
	if group, ok := node.(*ast.MappingNode); ok && !group.IsFlowStyle && len(group.Values) > 0 {
		node = group.Values[0].Key
	}
	from := Origin{kind: fromYAML, place: l.doc.path, line: 1, column: 1}
	if token := node.GetToken(); token != nil && token.Position != nil {
		from.line, from.column = token.Position.Line, token.Position.Column
	}
	return from
}

// walk reads the options at node, whose keys begin with path, into s. It returns
// false if there are no options.
func (l *loader) walk(s section, path string, node ast.Node) bool {
	entries, ok := l.entries(path, node)
	first := map[string]Origin{}
	for _, entry := range entries {
		name, from := keyText(entry.Key), l.at(entry.Key)
		key := join(path, name)
		if before, twice := first[name]; twice {
			l.fail(from.problem(fmt.Sprintf("%s is given twice, first on line %d", printable(key), before.line), "keep one of them"))
			continue
		}
		first[name] = from
		s.mentioned[key] = from
		// A dotted name is one option only at the top level.
		if (path == "" || !strings.Contains(name, ".")) && l.readEntry(s, key, entry) {
			continue
		}
		problem, meant := unknownOption(path, name, from)
		s.mentioned[meant] = from
		l.fail(problem)
	}
	return ok
}

// readEntry reads an option, or the options below it, into s. It returns false if
// there is none of this key.
func (l *loader) readEntry(s section, key string, entry *ast.MappingValueNode) bool {
	opt, known := specOf(key)
	switch {
	case key == "":
		return false
	case isGroup(key):
		s.groups[key] = l.readGroups(key, entry.Value)
	case known:
		if g, ok := l.readValue(opt, entry.Value, l.at(entry.Key)); ok {
			s.values[key] = g
		}
	case isSection(key):
		l.walk(s, key, entry.Value)
	default:
		return false
	}
	return true
}

// entries returns the options at node, and whether there can be any.
func (l *loader) entries(path string, node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.NullNode: // every line is commented out
		return nil, true
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	name := path
	if path == "" {
		name, l.doc.broken = "the file", true
	}
	l.fail(l.at(node).problem(
		fmt.Sprintf("%s has %s where options belong", name, describe(node)),
		"write them as name: value, one to a line: "+strings.Join(below(path), ", ")))
	return nil, false
}

// groupExamples are the lists of groups, with how one of them begins.
func groupExamples() map[string]string {
	return map[string]string{keyRoutes: "name: database", keyInhibit: `source: severity="critical"`, inEscalate: "after: 10m", keyServices: "path: T00000000/B00000000/a-long-random-word", keyWebhooks: "name: netbox", keyTokens: "name: ci", keyHeartbeats: "name: nightly-backup", keyTimes: "name: offhours", keyIntervals: "weekdays: [saturday, sunday]", keyRanges: `start_time: "18:00"`}
}

func isGroup(key string) bool { return key == inQuiet || groupExamples()[key] != "" }

// readGroups reads a list of groups, or the one group that quiet hours are.
func (l *loader) readGroups(key string, node ast.Node) (all []section) {
	items := []ast.Node{node}
	if example := groupExamples()[key]; example != "" {
		switch n := node.(type) {
		case *ast.NullNode: // every line is commented out
			return nil
		case *ast.SequenceNode:
			items = n.Values
		default:
			l.fail(l.at(node).problem(
				fmt.Sprintf("%s is %s where a list belongs", key, describe(node)),
				"begin each of them with - as in - "+example))
			return nil
		}
	}
	for _, item := range items {
		if s := newSection(l.at(item)); l.readQuietNames(s, key, item) || l.walk(s, key, item) {
			all = append(all, s)
		}
	}
	return all
}

// readQuietNames reads quiet where it is the name of times, or several, and no group.
func (l *loader) readQuietNames(s section, key string, node ast.Node) bool {
	switch node.(type) {
	case *ast.StringNode, *ast.SequenceNode:
		opt, ok := specOf(keyQuietTimes)
		if !ok || key != inQuiet {
			return false
		}
		s.mentioned[keyQuietTimes] = s.at
		if g, ok := l.readValue(opt, node, s.at); ok {
			s.values[keyQuietTimes] = g
		}
		return true
	}
	return false
}

func keyText(key ast.MapKeyNode) string {
	if text, ok := key.(*ast.StringNode); ok {
		return text.Value
	}
	return key.GetToken().Value
}

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}

// readValue reads the value of an option, or reports what is wrong with it.
func (l *loader) readValue(opt spec, node ast.Node, key Origin) (given, bool) {
	from := l.at(node)
	g := given{origin: from}
	switch n := node.(type) {
	case *ast.StringNode:
		g.value = n.Value
	case *ast.LiteralNode:
		g.value = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		g.value, g.notText = node.GetToken().Value, describe(node)
	case *ast.NullNode:
		l.fail(key.problem(opt.key+" has no value", l.emptyFix(opt, key)))
		return g, false
	case *ast.SequenceNode:
		if opt.list {
			return l.readItems(opt, n)
		}
		l.fail(oneValue(opt, node, from))
		return g, false
	case *ast.MappingNode, *ast.MappingValueNode:
		if opt.named {
			return l.readNamed(opt, node)
		}
		l.fail(oneValue(opt, node, from))
		return g, false
	default:
		l.fail(oneValue(opt, node, from))
		return g, false
	}
	if strings.TrimSpace(g.value) == "" {
		l.fail(from.problem(opt.key+" is empty", "write a value, or remove the line"))
		return g, false
	}
	return g, true
}

func oneValue(opt spec, node ast.Node, from Origin) Problem {
	return from.problem(fmt.Sprintf("%s is %s where one value belongs", opt.key, describe(node)), "write one value after "+opt.name()+":")
}

func (l *loader) readItems(opt spec, list *ast.SequenceNode) (given, bool) {
	g := given{origin: l.at(list), items: []given{}}
	alone := opt
	alone.list = false
	for _, node := range list.Values {
		if item, ok := l.readValue(alone, node, l.at(node)); ok {
			g.items = append(g.items, item)
		}
	}
	if len(list.Values) == 0 {
		l.fail(g.origin.problem(opt.key+" is an empty list", "write a value, or remove the line"))
	}
	return g, len(g.items) > 0
}

// readNamed reads the values of a group of names of the user's own.
func (l *loader) readNamed(opt spec, node ast.Node) (given, bool) {
	g := given{origin: l.at(node), items: []given{}}
	alone := opt
	alone.named = false
	entries, _ := l.entries(opt.key, node)
	for _, entry := range entries {
		if item, ok := l.readValue(alone, entry.Value, l.at(entry.Key)); ok {
			item.name = keyText(entry.Key)
			g.items = append(g.items, item)
		}
	}
	return g, len(g.items) > 0
}

// emptyFix knows what happened to who wrote "default_channel: #alerts".
func (l *loader) emptyFix(opt spec, key Origin) string {
	_, comment, commented := strings.Cut(l.doc.line(key.line), ": #")
	word, _, _ := strings.Cut(strings.TrimSpace(comment), " ")
	if commented && word != "" && !opt.secret {
		return fmt.Sprintf(`a # begins a comment: write %s: %s`, opt.name(), printable("#"+word))
	}
	return "write a value, or remove the line"
}

func describe(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a group of options"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode:
		return "an anchor or alias (which are not used here)"
	case *ast.TagNode:
		return "a tagged value (tags are not used here)"
	}
	return "text"
}

// JSON returns a YAML document as JSON with its keys in the same order.
func JSON(document []byte) ([]byte, error) {
	asJSON, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	return asJSON, nil
}
