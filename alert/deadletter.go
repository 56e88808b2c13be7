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

// DeliveryDetail is a delivery with everything it was to show.
type DeliveryDetail struct {
	Delivery
	// About is the incident as it is now; nil once it is forgotten.
	About *Incident `json:"about"`
	// Alerts are those that the delivery has accounted for, or, while it is
	// pending, those that wait for its card: oldest first, at most 100.
	Alerts []Record `json:"alerts"`
	// AlertCount is how many there are, listed or not.
	AlertCount int64 `json:"alert_count"`
}

// DeadLetterSelector chooses dead letters: the one with this ID; without an ID
// all of Lane; without either, all.
type DeadLetterSelector struct {
	ID   string
	Lane string
}

// RetryResult counts what retrying or dropping dead letters changed.
type RetryResult struct {
	Deliveries int      `json:"deliveries"`
	Alerts     int64    `json:"alerts"`
	Lanes      []string `json:"lanes"`
}
