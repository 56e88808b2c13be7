package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// ErrNewer is why a store is not opened whose tables a newer version has brought up to date.
var ErrNewer = errors.New("a newer tocsin wrote it")

// additive is how many migrations, at most, follow one that a version before it can't work with.
// The number of such a migration is a multiple of it. Those between only add to the tables: the
// version before goes on, which it does while replicas are replaced one after the other.
const additive = 100

// migrate brings the tables up to date and refuses a store with which this version can't work,
// before it changes anything.
func (d *DB) migrate(ctx context.Context, engine goose.Dialect, folder string) error {
	p, err := migrator(d.writers, engine, folder)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	limited, cancel := d.dialect.limit(ctx)
	defer cancel()
	has, knows, err := p.GetVersions(limited)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if err := workable(has, knows); err != nil || has >= knows {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring tables up to date: %w", err)
	}
	return nil
}

// workable refuses a store to whose schema more has happened than additions to the one that
// this program knows.
func workable(has, knows int64) error {
	if has/additive == knows/additive {
		return nil
	}
	return newerSchema(has, knows)
}

// newerSchema refuses a store whose schema is later than the one that this program knows.
func newerSchema(has, knows int64) error {
	if has > knows {
		return fmt.Errorf("%w (schema %d, this one knows %d): run that version or a later one", ErrNewer, has, knows)
	}
	return nil
}

// knownSchema is the version to which an engine's migrations lead.
func knownSchema(folder string) (last int64, err error) {
	files, err := fs.Glob(migrations, "migrations/"+folder+"/*.sql")
	for _, file := range files {
		number, _, _ := strings.Cut(path.Base(file), "_")
		n, wrong := strconv.ParseInt(number, 10, 64)
		last, err = max(last, n), errors.Join(err, wrong)
	}
	return last, err
}

// migrator reads the migrations of an engine.
func migrator(db *sql.DB, engine goose.Dialect, folder string) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return nil, err
	}
	d := dialect{numbered: engine == goose.DialectPostgres}
	hash := goose.NewGoMigration(11, &goose.GoFunc{
		RunTx: func(ctx context.Context, tx *sql.Tx) error { return hashLatest(ctx, tx, d) },
	}, nil)
	return goose.NewProvider(engine, db, files, goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(hash))
}

// hashLatest fills the table latest, in which keys are hashes, from the one
// before it.
func hashLatest(ctx context.Context, tx *sql.Tx, d dialect) error {
	type row struct {
		key, route string
		incident   int64
	}
	const atOnce = 1000
	next, insert := d.rewrite("SELECT key, route, incident FROM old_latest WHERE (key, route) > (?, ?) ORDER BY key, route LIMIT ?"),
		d.rewrite("INSERT INTO latest (key, route, incident) VALUES (?, ?, ?)")
	for last, more := (row{}), true; more; {
		rows, err := tx.QueryContext(ctx, next, last.key, last.route, atOnce)
		if err != nil {
			return err
		}
		var found []row
		err = scanAll(rows, func(s scanner) error {
			err := s.Scan(&last.key, &last.route, &last.incident)
			found = append(found, last)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range found {
			if _, err := tx.ExecContext(ctx, insert, keyHash(r.key), r.route, r.incident); err != nil {
				return err
			}
		}
		more = len(found) == atOnce
	}
	_, err := tx.ExecContext(ctx, "DROP TABLE old_latest")
	return err
}
