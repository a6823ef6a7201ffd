package screen

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"sync"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/nn"
	"polyid-trainer/storage"
	"polyid-trainer/worker/predict"
)

// Predictor predicts the rows of sheets.
type Predictor interface {
	// Predict predicts the rows of a sheet on so many cores and passes what it finds
	// on in their order, from one goroutine; columns says which hold structures. The
	// prediction is the caller's only until it returns.
	Predict(ctx context.Context, s *data.Sheet, columns data.Columns, cores int, emit func(i int, p *screenings.Prediction) error) error
	Close()
}

// Models keeps the model that was used last loaded.
type Models struct {
	Bucket storage.Bucket
	// Open loads a model from its files.
	Open func(m *screenings.Model, dir fs.FS) (Predictor, error)

	mu    sync.Mutex
	key   string
	model *shared
}

// shared is a model that is closed when nobody uses it and another has taken its
// place.
type shared struct {
	Predictor
	users int
	old   bool
}

// Use gives the model of a screening, loading it if need be; the caller calls release
// when it no longer uses it. Calls at the same time wait for each other.
func (m *Models) Use(ctx context.Context, s *screenings.Screening) (p Predictor, release func(), err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := keyOf(&s.Model)
	if m.model == nil || m.key != key {
		if old := m.model; old != nil { // before the new one: two need not be in memory
			old.old = true
			m.model = nil
			if old.users == 0 {
				old.Close()
			}
		}
		loaded, err := m.Open(&s.Model, newFiles(ctx, m.Bucket, s))
		if err != nil {
			return nil, nil, err
		}
		m.model, m.key = &shared{Predictor: loaded}, key
	}
	used := m.model
	used.users++
	return used, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if used.users--; used.users == 0 && used.old {
			used.Close()
		}
	}, nil
}

// keyOf names a model by the content of its files.
func keyOf(m *screenings.Model) string {
	h := sha256.New()
	for _, f := range m.Files {
		fmt.Fprintf(h, "%s %s\n", f.SHA256, f.Path)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// files are a screening's copies of its model's files, checked as they are opened.
type files struct {
	ctx    context.Context
	bucket storage.Bucket
	id     string
	known  map[string]screenings.File
}

func newFiles(ctx context.Context, b storage.Bucket, s *screenings.Screening) *files {
	f := &files{ctx: ctx, bucket: b, id: s.ID, known: map[string]screenings.File{}}
	for _, file := range s.Model.Files {
		f.known[file.Path] = file
	}
	return f
}

// Open implements fs.FS. A file is held in memory while it is open.
func (f *files) Open(name string) (fs.File, error) {
	known, ok := f.known[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	o, err := f.bucket.Get(f.ctx, keys.ScreeningModel(f.id)+name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New(err.Error())} // what is missing is no optional file
	}
	defer o.Close()
	body := make([]byte, 0, min(known.Size, 1<<30)+1)
	buffer := bytes.NewBuffer(body)
	if _, err := io.Copy(buffer, io.LimitReader(o, known.Size+1)); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	if sum := sha256.Sum256(buffer.Bytes()); hex.EncodeToString(sum[:]) != known.SHA256 {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is not the file that the screening was made with")}
	}
	return &memoryFile{bytes.NewReader(buffer.Bytes()), known}, nil
}

// memoryFile is a file in memory.
type memoryFile struct {
	*bytes.Reader
	screenings.File
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return fileInfo{f.File}, nil }
func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Size() int64                { return f.File.Size }

type fileInfo struct{ f screenings.File }

func (i fileInfo) Name() string       { return path.Base(i.f.Path) }
func (i fileInfo) Size() int64        { return i.f.Size }
func (i fileInfo) Mode() fs.FileMode  { return 0o444 }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

// Revision opens models as revisions on engines.
func Revision(newEngine nn.NewEngine, maxAtoms int) func(*screenings.Model, fs.FS) (Predictor, error) {
	return func(m *screenings.Model, dir fs.FS) (Predictor, error) {
		model, err := predict.Open(m.Repo, m.Commit, dir, newEngine, maxAtoms)
		if err != nil {
			return nil, err
		}
		return &revision{model, m.Targets}, nil
	}
}

type revision struct {
	*predict.Model
	targets []screenings.Target
}

// Predict implements Predictor.
func (r *revision) Predict(ctx context.Context, s *data.Sheet, columns data.Columns, cores int, emit func(int, *screenings.Prediction) error) error {
	var p screenings.Prediction
	return r.PredictSheet(ctx, s, columns, cores, func(i int, from predict.Result) error {
		r.fill(&p, &from)
		return emit(i, &p)
	})
}

// fill flattens a result.
func (r *revision) fill(p *screenings.Prediction, from *predict.Result) {
	*p = screenings.Prediction{Values: p.Values[:0], Similarity: math.NaN()}
	if e := from.Error; e != nil {
		p.Error = e.Code + ": " + e.Detail
		return
	}
	for _, t := range r.targets {
		v := from.Predictions[t.Name]
		low, high := math.NaN(), math.NaN()
		if i := v.Interval; i != nil {
			low, high = i[0], i[1]
		}
		p.Values = append(p.Values, float64(v.Mean), float64(v.Std), low, high)
	}
	if d := from.Domain; d != nil {
		p.Judged, p.Unseen, p.InDomain = true, d.Unseen, d.InDomain
	}
}

// KernelOf is what engines compute with, as a Predictor's predictions depend on it:
// that of a small one.
func KernelOf(newEngine nn.NewEngine) (string, error) {
	e, err := newEngine(nn.Config{Name: "global100", AtomFeatures: 8, BondFeatures: 8, MolFeatures: 2, NumMessages: 1}, nn.Sizes{AtomClasses: 3, BondClasses: 3, Targets: 1}, 0)
	if err != nil {
		return "", fmt.Errorf("make an engine: %w", err)
	}
	defer e.Close()
	return predict.KernelOf(e), nil
}
