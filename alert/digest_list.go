package alert

// ListFileBytes is about how many bytes of alerts one file lists. A longer list is
// several files, so that it is never in memory as a whole.
const ListFileBytes = 4 << 20

// ListNotes splits the complete list of a digest into parts: replies, or files
// when it is long. sizes are the bytes of each incident, in the order of the list.
func ListNotes(sizes []int) []Note {
	if len(sizes) < ListAsFile {
		return listPages(0, len(sizes), ListPage)
	}
	return listFiles(sizes, ListFileBytes)
}

// RefusesFile reports whether Slack refused a part of a list because it is a file.
func (o Outcome) RefusesFile(kind Kind, n Note) bool {
	return kind == List && n.Topic == TopicFile && o.State == Pending && o.Plain
}

// AsText splits the list of a file that Slack refused into replies.
func (n Note) AsText() []Note { return listPages(n.From, n.Count, ListLongPage) }

// listPages splits count incidents behind the first from into parts of a length.
func listPages(from, count, length int) (parts []Note) {
	for end := from + count; from < end; from += length {
		parts = append(parts, Note{Topic: TopicList, From: from, Count: min(length, end-from)})
	}
	return parts
}

// listFiles splits incidents of these sizes into parts. A part ends with the
// incident that brings it to most bytes.
func listFiles(sizes []int, most int) (parts []Note) {
	full := most
	for n, size := range sizes {
		if full >= most {
			parts, full = append(parts, Note{Topic: TopicFile, From: n}), 0
		}
		parts[len(parts)-1].Count++
		full += size
	}
	return parts
}
