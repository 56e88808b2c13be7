package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the tables up to date and refuses a store that a newer
// version wrote, before it changes anything.
func migrate(ctx context.Context, db *sql.DB, engine goose.Dialect, folder string) error {
	p, err := migrator(db, engine, folder)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if has > knows {
		return fmt.Errorf("a newer tocsin wrote it (schema %d, this one knows %d): run that version or a later one",
			has, knows)
	}
	if has == knows {
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring tables up to date: %w", err)
	}
	return nil
}

// migrator reads the migrations of an engine.
func migrator(db *sql.DB, engine goose.Dialect, folder string) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(engine, db, files, goose.WithDisableGlobalRegistry(true))
}
