package alert

// ListFileBytes is about how many bytes of one file are what alerts say. A list
// that says more is several files, so that none has to be held in memory as a
// whole.
const ListFileBytes = 4 << 20

// ListNotes decides in which parts the thread of a digest gets the complete
// list: as text, or as files when it is long. sizes are the bytes that each
// incident says, in the order of the list.
func ListNotes(sizes []int) []Note {
	if len(sizes) < ListAsFile {
		return listPages(0, len(sizes), ListPage)
	}
	return listFiles(sizes, ListFileBytes)
}

// RefusesFile reports whether Slack did not take a part of a list because it is
// a file.
func (o Outcome) RefusesFile(kind Kind, n Note) bool {
	return kind == List && n.Topic == TopicFile && o.State == Pending && o.Plain
}

// AsText returns the parts in which a list is sent as text when Slack does not
// take it as a file.
func (n Note) AsText() []Note { return listPages(n.From, n.Count, ListLongPage) }

// listPages splits count incidents behind the first from into parts of a length.
func listPages(from, count, length int) (parts []Note) {
	for end := from + count; from < end; from += length {
		parts = append(parts, Note{Topic: TopicList, From: from, Count: min(length, end-from)})
	}
	return parts
}

// listFiles splits incidents of these sizes into parts, each ended by the one
// that brings it to most.
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
