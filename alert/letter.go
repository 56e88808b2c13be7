package alert

// DeliveryFilter chooses deliveries. Zero fields do not restrict.
type DeliveryFilter struct {
	// States keeps deliveries in one of these states.
	States []DeliveryState
	Lane   string
	// Limit is the most that are returned; 0 means 100.
	Limit int
	// Before keeps deliveries with a smaller Seq: the last one of the page
	// before.
	Before int64
}

// DeliveryStates lists every state of a delivery, in the order they come.
func DeliveryStates() []DeliveryState {
	return []DeliveryState{Pending, Sending, Delivered, Superseded, Dead, Dropped}
}

// Letter is a delivery with all that it was to tell.
type Letter struct {
	Delivery
	// About is the incident as it is now; nil once it is forgotten.
	About *Incident `json:"about"`
	// Alerts are those that the delivery has accounted for or buried or, while
	// it is owed, that wait for its card: the oldest first, and at most 100.
	Alerts []Record `json:"alerts"`
	// AlertCount is how many there are, listed or not.
	AlertCount int64 `json:"alert_count"`
}

// Letters chooses dead letters: the one with this ID, or without an ID every
// one of Lane (of every lane if that is empty, too).
type Letters struct {
	ID   string
	Lane string
}

// Moved says what a person's decision about dead letters changed.
type Moved struct {
	Deliveries int      `json:"deliveries"`
	Alerts     int64    `json:"alerts"`
	Lanes      []string `json:"lanes"`
}
