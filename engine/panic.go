package engine

import (
	"fmt"
	"runtime/debug"

	"tocsin/alert"
)

// panicError is a panic in a decision. It wraps alert.ErrInternal.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
func (e *panicError) Unwrap() error { return alert.ErrInternal }

// recovered calls decide and returns a panic as a *panicError. Nothing is lost by
// that: a decision only reads what was loaded, and nothing of it is written.
func recovered(decide func() alert.Change) (c alert.Change, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value: value, stack: debug.Stack()}
		}
	}()
	return decide(), nil
}
