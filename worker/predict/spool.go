package predict

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/revision"
)

// spool writes results to two temporary files as they come, so that no more
// than a few are in memory: as CSV, and as the part of a Response that follows
// from them.
type spool struct {
	json, csv *os.File
	text      *bufio.Writer // of json
	rows      *csvWriter    // of csv
	n         int
}

func newSpool(dir string, header []string, targets []checkpoint.Target) (*spool, error) {
	s := &spool{}
	var err error
	for _, f := range []**os.File{&s.json, &s.csv} {
		if *f, err = os.CreateTemp(dir, "polyid-results-*"); err != nil {
			s.close()
			return nil, fmt.Errorf("results: %w", err)
		}
	}
	s.text = bufio.NewWriter(s.json)
	if _, err = s.text.WriteString(`{"results":[`); err == nil {
		s.rows, err = newCSVWriter(s.csv, header, targets)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("results: %w", err)
	}
	return s, nil
}

func (s *spool) write(cells []string, r Result) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("results: %w", err)
	}
	if s.n++; s.n > 1 {
		s.text.WriteByte(',') // an error stays with the writer until finish
	}
	s.text.Write(body)
	if err := s.rows.write(cells, r); err != nil {
		return fmt.Errorf("results: %w", err)
	}
	return nil
}

// finish writes what follows the results, and what is buffered.
func (s *spool) finish(averages []Aggregate, metrics revision.Scores) error {
	body, err := json.Marshal(struct {
		Aggregate []Aggregate     `json:"aggregate,omitempty"`
		Metrics   revision.Scores `json:"metrics,omitempty"`
	}{averages, metrics})
	if err != nil {
		return fmt.Errorf("results: %w", err)
	}
	s.text.WriteByte(']')
	if len(body) > len("{}") {
		s.text.WriteByte(',')
	}
	s.text.Write(body[1:])
	if err := errors.Join(s.text.Flush(), s.rows.finish()); err != nil {
		return fmt.Errorf("results: %w", err)
	}
	return nil
}

// close removes the files.
func (s *spool) close() {
	for _, f := range []*os.File{s.json, s.csv} {
		if f != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}
}
