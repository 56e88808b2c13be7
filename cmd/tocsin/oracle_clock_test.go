package main

import (
	"database/sql" //nolint:depguard // it changes what the daemon has stored, which no store offers
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// timeColumn is the name of a column of the store that holds a time in microseconds.
var timeColumn = regexp.MustCompile(`^(\w+_)?(at|since|until)$`)

// turnClock has the daemon, which is not running, find the clock turned forward or
// back, by a little or, as by a clock that was in local time, by much. Its clock is the
// machine's, so what it has stored is moved the other way.
func (o *oracle) turnClock() {
	o.t.Helper()
	wrong := o.wait(o.plan.clockDrift)
	if o.random.IntN(2) == 0 {
		wrong += o.plan.clockJump
	}
	by := wrong - o.clockWrong
	o.clockWrong = wrong
	o.mark(fmt.Sprintf("clock turned by %s", by))
	if err := moveTimes(strings.TrimPrefix(o.daemon.env["TOCSIN_STORE"], "sqlite:"), -by); err != nil {
		o.t.Fatalf("turn the clock: %v", err)
	}
}

// moveTimes moves every time in a store.
func moveTimes(path string, by time.Duration) (err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.Query(`SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.type = 'INTEGER'`)
	if err != nil {
		return err
	}
	defer rows.Close()
	moves := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return err
		}
		if timeColumn.MatchString(column) {
			moves[table] = append(moves[table], fmt.Sprintf("%s = CASE WHEN %s > 0 THEN %s + %d ELSE %s END", column, column, column, by.Microseconds(), column))
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for table, columns := range moves {
		if _, err := db.Exec("UPDATE " + table + " SET " + strings.Join(columns, ", ")); err != nil {
			return fmt.Errorf("move the times of %s: %w", table, err)
		}
	}
	return nil
}
