package bot

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

func TestAnImageThatDoesNotComeInTimeIsSaidInWords(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	i := newImages(alert.ImageHosts{strings.TrimPrefix(s.URL, "http://")}, time.Now)
	i.http.Timeout = time.Millisecond
	_, _, err := i.fetch(t.Context(), s.URL)
	if want := strings.TrimPrefix(s.URL, "http://") + " did not send it within 1ms"; err == nil || err.Error() != want {
		t.Errorf("it is %v, want %s", err, want)
	}
}
