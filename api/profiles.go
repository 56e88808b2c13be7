package api

import (
	"net/http"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

// profilesPath is where go tool pprof looks for the profiles of a process.
const profilesPath = "/debug/pprof/"

// cpuProfile is how long the processor's profile takes by default, and maxWait at most.
const cpuProfile = 30 * time.Second

// withProfiles serves profiles, too, as net/http/pprof does: profile?seconds=30 is the
// processor's, heap?gc=1 is taken after a garbage collection, goroutine?debug=2 is text.
// They hold no data and no secrets, but take time and show what the process does, so they
// are for the Unix socket alone.
func withProfiles(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.Path, profilesPath)
		profile := pprof.Lookup(name)
		switch {
		case !ok || r.Method != http.MethodGet:
			next.ServeHTTP(w, r)
		case name == "profile":
			profileCPU(w, r)
		case profile == nil:
			next.ServeHTTP(w, r)
		default:
			if name == "heap" && r.FormValue("gc") != "" {
				runtime.GC()
			}
			debug, _ := strconv.Atoi(r.FormValue("debug")) // 0 is the form for tools
			w.Header().Set("Content-Type", map[bool]string{true: "text/plain; charset=utf-8", false: "application/octet-stream"}[debug > 0])
			_ = profile.WriteTo(w, debug) // the caller has gone
		}
	})
}

func profileCPU(w http.ResponseWriter, r *http.Request) {
	lasts := cpuProfile
	if s, err := strconv.Atoi(r.FormValue("seconds")); err == nil && s > 0 {
		lasts = min(time.Duration(s)*time.Second, maxWait)
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		writeJSON(w, http.StatusConflict, errorBody{Error: err.Error(), Hint: "wait until the other profile has ended"})
		return
	}
	defer pprof.StopCPUProfile()
	select {
	case <-r.Context().Done():
	case <-time.After(lasts):
	}
}
