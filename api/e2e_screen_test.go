package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs/screenings"
)

// repeatUnitLibrary is n rows of repeat units, one in a hundred of them bad.
func repeatUnitLibrary(n int) string {
	tails := []string{"OCC", "C", "CC", "C(=O)OC", "c1ccccc1", "OC", "C#N", "Cl", "F", "C(F)(F)F", "C(=O)N", "OC(=O)C", "c1ccncc1", "C(C)C", "CCO", "CCCC"}
	var b strings.Builder
	b.WriteString("name,smiles_repeat_unit\n")
	for i := range n {
		unit := fmt.Sprintf("*%sC(%s)C(%s)*", strings.Repeat("C", i/256%7), tails[i%16], tails[i/16%16])
		switch {
		case i%100 == 13:
			unit = "*C(C*"
		case i%200 == 57:
			unit = ""
		}
		fmt.Fprintf(&b, "p%d,%s\n", i, unit)
	}
	return b.String()
}

// upload uploads a table and returns its id.
func (s *service) upload(name, table string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/v1/datasets?name="+name, strings.NewReader(table))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/csv")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusCreated {
		s.t.Fatalf("uploading: %d %s", res.StatusCode, body)
	}
	_, id, _ := strings.Cut(res.Header.Get("Location"), "/v1/datasets/")
	return id
}

// screen asks for a screening.
func (s *service) screen(spec string) screenings.View {
	s.t.Helper()
	var v screenings.View
	if status := s.call(http.MethodPost, "/v1/screenings", spec, &v); status != http.StatusAccepted {
		s.t.Fatalf("screening %s: %d %+v", spec, status, v)
	}
	return v
}

// screened waits for a screening to succeed and returns its results.
func (s *service) screened(id string) (screenings.View, []byte) {
	s.t.Helper()
	var v screenings.View
	until(s.t, "the screening to succeed", func() bool {
		s.call(http.MethodGet, "/v1/screenings/"+id, "", &v)
		if v.Status.Ended() && v.Status != screenings.Succeeded {
			s.t.Fatalf("the screening %s: %+v", v.Status, v.Error)
		}
		return v.Status == screenings.Succeeded
	})
	res, err := http.Get(s.url + "/v1/screenings/" + id + "/results")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("results: %d, %v", res.StatusCode, err)
	}
	if sum := sha256.Sum256(body); fmt.Sprintf("%x", sum) != v.Results.SHA256 || int64(len(body)) != v.Results.Bytes {
		s.t.Errorf("%d bytes of results, %s; want %d, %s", len(body), fmt.Sprintf("%x", sum), v.Results.Bytes, v.Results.SHA256)
	}
	return v, body
}

// TestScreenKilled kills the one process of the default set-up again and again while
// it screens. The results have the bytes of an undisturbed screening: no row twice,
// none missing, and each bad row with its error.
func TestScreenKilled(t *testing.T) {
	s := newService(t)
	s.succeeds(s.submit(small(1, "")).ID)
	rows := int64(2000)
	if os.Getenv("LONG") != "" {
		rows = 6000
	}
	library := s.upload("units", repeatUnitLibrary(int(rows)))
	spec := func(more string) string { return fmt.Sprintf(`{"input": {"dataset": %q}%s}`, library, more) }
	specs := []string{
		spec(""),
		spec(`, "where": "Tg > -1000 && name != \"p5\"", "order_by": "-Tg / (1 + Tm_std)", "columns": {"gap": "Tm - Tg"}, "limit": 500, "format": "ndjson"`),
	}
	var calm [][]byte
	for _, spec := range specs {
		v, body := s.screened(s.screen(spec).ID)
		calm = append(calm, body)
		if v.Counts.Done != rows || v.Counts.Failed != rows/100+rows/200 {
			t.Errorf("counts %+v, want %d rows, %d of them failed", v.Counts, rows, rows/100+rows/200)
		}
	}
	lines := strings.Split(strings.TrimSpace(string(calm[0])), "\n")
	if len(lines) != int(rows)+1 {
		t.Fatalf("%d lines of results, want %d", len(lines), rows+1)
	}
	for i, line := range lines[1:] {
		if !strings.HasPrefix(line, fmt.Sprintf("p%d,", i)) {
			t.Fatalf("row %d is %s", i, line)
		}
		bad := i%100 == 13 || i%200 == 57
		if hasError := !strings.HasSuffix(line, ","); hasError != bad {
			t.Fatalf("row %d: %s", i, line)
		}
	}
	if n := bytes.Count(calm[1], []byte("\n")); n != 500 {
		t.Errorf("%d rows, limit 500", n)
	}

	deaths, attempts := 0, 0
	for i, spec := range specs {
		id := s.screen(spec).ID
		for range 6 {
			<-time.After(time.Duration(rand.IntN(900)) * time.Millisecond)
			s.kill()
			s.start(t)
			deaths++
			var v screenings.View
			if s.call(http.MethodGet, "/v1/screenings/"+id, "", &v); v.Status == screenings.Succeeded {
				break
			}
			attempts++
		}
		v, body := s.screened(id)
		if !bytes.Equal(body, calm[i]) {
			t.Errorf("%s: killed, the results are not those of an undisturbed screening", spec)
		}
		if v.Counts.Done != rows || v.Counts.Failed != rows/100+rows/200 {
			t.Errorf("counts %+v after %d deaths", v.Counts, deaths)
		}
	}
	if attempts == 0 {
		t.Error("no screening was ever interrupted: this test has shown nothing")
	}
	t.Logf("%d deaths, %d of them while it screened", deaths, attempts)
}
