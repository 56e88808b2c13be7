package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"tocsin/alert"
)

func TestAPanicFailsTheWriteThatItIsInAndNoOther(t *testing.T) {
	d := reopen(t, "sqlite:"+filepath.Join(t.TempDir(), "tocsin.db"))
	err := d.write(t.Context(), func(w *writer, ctx context.Context) error {
		_, err := w.exec(ctx, "INSERT INTO homes (person, hash) VALUES ('U0ANN', 'x')")
		must(t, err)
		panic("a decision went wrong")
	})
	if !errors.Is(err, alert.ErrInternal) {
		t.Errorf("the write that panicked answers %v", err)
	}
	commit(t, d, fire(incident("a", "#db", 1)))
	if n := rows(t, d, "homes"); n != 0 {
		t.Error("what it wrote before was kept")
	}
}
