package main

import (
	"database/sql" //nolint:depguard // it changes what the daemon has stored, which no store offers
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Times in the store are in microseconds. timeColumn is the name of a column that
// holds one, timeInBody one in the JSON of an incident.
var (
	timeColumn = regexp.MustCompile(`^(\w+_)?(at|since|until)$`)
	timeInBody = regexp.MustCompile(`\b1[78]\d{14}\b`)
)

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
	o.mark(clockMark + by.String())
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
	columns, err := pairs(db, `SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.type = 'INTEGER'`)
	if err != nil {
		return err
	}
	for _, c := range columns {
		if table, column := c[0], c[1]; timeColumn.MatchString(column) {
			if _, err := db.Exec(fmt.Sprintf("UPDATE %s SET %s = %s + ? WHERE %s > 0", table, column, column, column), by.Microseconds()); err != nil {
				return fmt.Errorf("move %s.%s: %w", table, column, err)
			}
		}
	}
	bodies, err := pairs(db, "SELECT n, body FROM incidents")
	if err != nil {
		return err
	}
	for _, b := range bodies {
		moved := timeInBody.ReplaceAllStringFunc(b[1], func(micros string) string {
			n, _ := strconv.ParseInt(micros, 10, 64) // it is a number
			return strconv.FormatInt(n+by.Microseconds(), 10)
		})
		if moved == b[1] {
			continue
		}
		if _, err := db.Exec("UPDATE incidents SET body = ? WHERE n = ?", moved, b[0]); err != nil {
			return fmt.Errorf("move the times of incident %s: %w", b[0], err)
		}
	}
	return nil
}

// pairs reads rows of two columns.
func pairs(db *sql.DB, query string) (all [][2]string, err error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p [2]string
		if err := rows.Scan(&p[0], &p[1]); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, rows.Err()
}
