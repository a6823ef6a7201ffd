package app

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Bodies and answers of many parts pass whole, and connections go on after an
// answer without a body.
func TestDeadlinesPassEverything(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(withDeadlines(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if len(text) == 0 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Write(text)
	})))
	defer s.Close()
	for _, size := range []int{0, 1, part, 3*part + 1, 0} {
		sent := bytes.Repeat([]byte("x"), size)
		res, err := s.Client().Post(s.URL, "text/plain", bytes.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		received, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !bytes.Equal(sent, received) {
			t.Errorf("of %d bytes %d came back, %v", size, len(received), err)
		}
	}
}
