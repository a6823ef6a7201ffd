package predict

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"polyid-trainer/jobs/predictions"
	"polyid-trainer/nn/revision"
)

// inMemory is how many bytes of results are held before they go to a file.
const inMemory = 1 << 20

// resultFile is what is written to it: in memory while that is little, in a temporary
// file beyond.
type resultFile struct {
	dir    string
	memory bytes.Buffer
	file   *os.File // nil while all is in memory
}

// Write implements io.Writer.
func (s *resultFile) Write(p []byte) (int, error) {
	if s.file == nil && s.memory.Len()+len(p) <= inMemory {
		return s.memory.Write(p)
	}
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "polyid-results-*")
		if err != nil {
			return 0, err
		}
		s.file = f
		if _, err := s.memory.WriteTo(f); err != nil {
			return 0, err
		}
	}
	return s.file.Write(p)
}

// content is all that was written, and its size.
func (s *resultFile) content() (io.Reader, int64, error) {
	if s.file == nil {
		return bytes.NewReader(s.memory.Bytes()), int64(s.memory.Len()), nil
	}
	size, err := s.file.Seek(0, io.SeekCurrent)
	return io.NewSectionReader(s.file, 0, size), size, err
}

// close removes the file.
func (s *resultFile) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
	}
}

// resultBuffer holds results as they come, no more of them in memory than inMemory: as
// CSV, and as the part of a Response that follows from them.
type resultBuffer struct {
	json, csv resultFile
	text      *bufio.Writer // of json
	rows      *csvWriter    // of csv
	n         int
}

func newResultBuffer(dir string, header []string, m *Model) (*resultBuffer, error) {
	s := &resultBuffer{json: resultFile{dir: dir}, csv: resultFile{dir: dir}}
	s.text = bufio.NewWriter(&s.json)
	_, err := s.text.WriteString(`{"results":[`)
	if err == nil {
		s.rows, err = newCSVWriter(&s.csv, header, m)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("results: %w", err)
	}
	return s, nil
}

func (s *resultBuffer) write(cells []string, r Result) error {
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
func (s *resultBuffer) finish(averages []Aggregate, metrics revision.Scores) error {
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

// bodies are the finished results.
func (s *resultBuffer) bodies() (map[predictions.Format]predictions.Body, error) {
	results := map[predictions.Format]predictions.Body{}
	for f, in := range map[predictions.Format]*resultFile{predictions.JSON: &s.json, predictions.CSV: &s.csv} {
		content, size, err := in.content()
		if err != nil {
			return nil, fmt.Errorf("results: %w", err)
		}
		results[f] = predictions.Body{Content: content, Size: size}
	}
	return results, nil
}

func (s *resultBuffer) close() {
	s.json.close()
	s.csv.close()
}
