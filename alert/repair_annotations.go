package alert

import (
	"cmp"
	"maps"
	"slices"
)

// annotations keeps the shortest ones where there are too many to store twice: the title, the
// text and the links say what they all do.
func (r *repair) annotations() {
	size := func(name string) int { return len(name) + len(r.Annotations[name]) }
	all := 0
	for name := range r.Annotations {
		all += size(name)
	}
	if all <= MaxAnnotations {
		return
	}
	kept, room := map[string]string{}, MaxAnnotations
	for _, name := range slices.SortedFunc(maps.Keys(r.Annotations), func(a, b string) int {
		return cmp.Or(cmp.Compare(size(a), size(b)), cmp.Compare(a, b))
	}) {
		if room -= size(name); room < 0 {
			break
		}
		kept[name] = r.Annotations[name]
	}
	r.Annotations = kept
}
