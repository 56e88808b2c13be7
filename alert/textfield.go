package alert

// TextField is a field of an alert that is a text, by its name in JSON; nil for others.
func (a *Alert) TextField(name string) *string {
	switch name {
	case "source":
		return &a.Source
	case "key":
		return &a.Key
	case "status":
		return (*string)(&a.Status)
	case "severity":
		return (*string)(&a.Severity)
	case "title":
		return &a.Title
	case "text":
		return &a.Text
	case "format":
		return (*string)(&a.Format)
	case "channel":
		return &a.Channel
	case "mention":
		return &a.Mention
	case "idempotency_key":
		return &a.IdempotencyKey
	}
	return nil
}
