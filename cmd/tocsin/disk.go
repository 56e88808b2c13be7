package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tocsin/alert"
	"tocsin/config"
)

// The bounds below which a store's disk is reported.
const (
	littleRoom   = 1 << 30   // bytes
	noRoom       = 100 << 20 // bytes
	slowSync     = 50 * time.Millisecond
	verySlowSync = time.Second
	syncs        = 5 // how many are measured
)

// disk is what was measured of the disk of a store.
type disk struct {
	folder string
	free   uint64        // bytes
	sync   time.Duration // the median of writing a page to it
}

// examineDisk measures the disk of a store in a file, with a small file beside it that is
// removed again.
func examineDisk(store config.StoreURL) []alert.Check {
	path, ok := strings.CutPrefix(store.Reveal(), "sqlite:")
	if !ok {
		return nil
	}
	folder := filepath.Dir(path)
	for !exists(folder) && folder != filepath.Dir(folder) { // the daemon makes it
		folder = filepath.Dir(folder)
	}
	measured, err := measureDisk(folder)
	switch {
	case errors.Is(err, fs.ErrPermission): // the daemon is perhaps another user
		return []alert.Check{{Name: "disk", Result: alert.CheckSkipped, Found: err.Error()}}
	case err != nil:
		return []alert.Check{{Name: "disk", Result: alert.CheckError, Found: "there can be no store in " + filepath.Dir(path) + ": " + err.Error(), Fix: "name another path in store or TOCSIN_STORE, or make the folder for the daemon's user"}}
	}
	return measured.checks()
}

func measureDisk(folder string) (disk, error) {
	d := disk{folder: folder}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return d, fmt.Errorf("measure the disk of %s: %w", folder, err)
	}
	d.free = stat.Bavail * uint64(stat.Bsize)
	file, err := os.CreateTemp(folder, ".tocsin-doctor-")
	if err != nil {
		return d, fmt.Errorf("measure the disk: %w", err)
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	var took []time.Duration
	for range syncs {
		begin := time.Now()
		if _, err := file.Write(make([]byte, os.Getpagesize())); err != nil {
			return d, fmt.Errorf("measure the disk: %w", err)
		}
		if err := file.Sync(); err != nil {
			return d, fmt.Errorf("measure the disk: %w", err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	d.sync = took[syncs/2]
	return d, nil
}

// checks judges the disk.
func (d disk) checks() []alert.Check {
	room := alert.Check{Name: "disk space", About: d.folder, Result: alert.CheckOK, Found: fmt.Sprintf("%d MiB are free", d.free>>20)}
	if d.free < littleRoom {
		room.Result, room.Fix = alert.CheckWarning, "make room: on a full disk alerts are refused with 503"
	}
	if d.free < noRoom {
		room.Result = alert.CheckError
	}
	speed := alert.Check{Name: "disk sync", About: d.folder, Result: alert.CheckOK, Found: "takes " + d.sync.Round(10*time.Microsecond).String()}
	if d.sync > slowSync {
		speed.Result, speed.Fix = alert.CheckWarning, "each request waits for it: put the store on a local disk or SSD, and see what else writes to this one"
	}
	if d.sync > verySlowSync {
		speed.Result = alert.CheckError
	}
	return []alert.Check{room, speed}
}
