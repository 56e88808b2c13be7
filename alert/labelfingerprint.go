package alert

import (
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"
)

// LabelFingerprint identifies labels as Prometheus and Alertmanager do: the FNV-1a hash of the
// names and values in the order of the names, as 16 hexadecimal digits.
func LabelFingerprint(labels map[string]string) string {
	h := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		_, _ = io.WriteString(h, name+"\xff"+labels[name]+"\xff") // a hash never fails
	}
	return fmt.Sprintf("%016x", h.Sum64())
}
