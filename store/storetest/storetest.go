// Package storetest has what tests of other packages need of a store.
package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tocsin/store"
)

// Empty makes the file of a SQLite store that holds nothing yet, by a copy: under the race
// detector it takes seconds to make one by all migrations.
func Empty(t testing.TB, path string) {
	t.Helper()
	file, err := empty()
	if err == nil {
		err = os.WriteFile(path, file, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "tocsin-storetest-")
	if err != nil {
		return nil, fmt.Errorf("make a store for tests: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "tocsin.db")
	d, err := store.Open(context.Background(), "sqlite:"+path, store.Options{})
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("make a store for tests: %w", err)
	}
	return os.ReadFile(path)
})
