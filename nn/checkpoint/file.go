package checkpoint

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"polyid-trainer/storage/atomicfile"
)

// ReadFile reads a model from a file.
func ReadFile(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := Read(bufio.NewReaderSize(f, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// WriteFile writes a model to a file atomically: whatever happens, path holds
// either what it held before or all of m.
func WriteFile(path string, m *Model) error {
	return atomicfile.Replace(path, 0o644, func(to io.Writer) error {
		w := bufio.NewWriterSize(to, 1<<16)
		if err := Write(w, m); err != nil {
			return err
		}
		return w.Flush()
	})
}
