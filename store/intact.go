package store

import (
	"context"
	"fmt"
	"strings"
)

// Intact reads the whole database of SQLite and returns what is damaged in it; it takes as
// long as the file is large, and nothing waits for it. PostgreSQL checks its own.
func (d *DB) Intact(ctx context.Context) error {
	if d.files == nil {
		return nil
	}
	var answer string
	if err := d.readers.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer); err != nil {
		return fmt.Errorf("check store: %w", err)
	}
	if answer != "ok" {
		return fmt.Errorf("it is damaged (%.200s): %s", strings.ReplaceAll(answer, "\n", " "), corruptRemedy)
	}
	return nil
}
