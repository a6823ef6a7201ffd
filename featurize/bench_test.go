package featurize_test

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"polyid-trainer/featurize"
)

// shippedPolymers are the finished chains of PolyID's shipped table: 229
// polyesters of some 340 atoms with their hydrogens.
func shippedPolymers(tb testing.TB) []string {
	tb.Helper()
	file, err := os.Open("../data/stereopolymer_input_nopush.csv")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	column := slices.Index(rows[0], "smiles_polymer")
	var out []string
	for _, r := range rows[1:] {
		out = append(out, r[column])
	}
	return out
}

// encoder is the whole path from SMILES to tokens and edges.
type encoder struct {
	f          *featurize.Featurizer
	binding    *featurize.Binding
	atom, bond []int32
}

func newEncoder(tb testing.TB, rows []string) *encoder {
	tb.Helper()
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	vocab, err := f.Fit(func(yield func(*featurize.Graph) bool) {
		for _, s := range rows {
			g, err := f.Graph(s)
			if err != nil {
				tb.Fatalf("%s: %v", s, err)
			}
			if !yield(g) {
				return
			}
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	return &encoder{f: f, binding: f.Bind(vocab)}
}

func (e *encoder) encode(tb testing.TB, s string) {
	g, err := e.f.Graph(s)
	if err != nil {
		tb.Fatal(err)
	}
	e.atom, _ = e.binding.Atom.Tokens(e.atom[:0], g.Atom)
	e.bond, _ = e.binding.Bond.Tokens(e.bond[:0], g.Bond)
}

// BenchmarkGraph is the path from one SMILES to tokens and edges.
func BenchmarkGraph(b *testing.B) {
	for _, c := range []struct {
		name string
		rows []string
	}{
		{"polymers", shippedPolymers(b)},
		{"benzene", []string{"c1ccccc1"}},
		{"drug", []string{"CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := newEncoder(b, c.rows)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				e.encode(b, c.rows[i%len(c.rows)])
				i++
			}
		})
	}
}

// BenchmarkAll is the parallel path over ten copies of the shipped table.
func BenchmarkAll(b *testing.B) {
	rows := slices.Repeat(shippedPolymers(b), 10)
	for _, workers := range []int{1, runtime.GOMAXPROCS(0)} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, err := featurize.New(featurize.Config{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := f.All(b.Context(), rows, workers, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*len(rows))/b.Elapsed().Seconds(), "polymers/s")
		})
	}
}

// BenchmarkMorgan is the fingerprint of one shipped polymer.
func BenchmarkMorgan(b *testing.B) {
	m := read(b, shippedPolymers(b)[0])
	b.ReportAllocs()
	for b.Loop() {
		featurize.Morgan(m)
	}
}

// BenchmarkBesidePeers runs the same path over the shipped polymers in turn
// with RDKit's parsing and AddHs and with nfp's preprocessor, each on one core,
// and reports the median pass of each and their ratios.
//
//	go test ./featurize -run '^$' -bench BesidePeers -benchtime 10x
func BenchmarkBesidePeers(b *testing.B) {
	python := cmp.Or(os.Getenv("POLYID_PYTHON"), os.Getenv("RDKIT_PYTHON"))
	if python == "" {
		b.Skip("set POLYID_PYTHON (RDKit and nfp) or RDKIT_PYTHON (RDKit alone) to a python that has them, or run .ci/peers")
	}
	rows := shippedPolymers(b)
	peer := startPeer(b, python, rows)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	e := newEncoder(b, rows)

	seconds := map[string][]float64{}
	for range b.N {
		start := time.Now()
		for _, s := range rows {
			e.encode(b, s)
		}
		seconds["go"] = append(seconds["go"], time.Since(start).Seconds())
		for _, name := range peer.names {
			seconds[name] = append(seconds[name], peer.run(b, name))
		}
	}
	median := func(name string) float64 {
		slices.Sort(seconds[name])
		return seconds[name][len(seconds[name])/2]
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(1e6*median("go")/float64(len(rows)), "go-µs/polymer")
	for _, name := range peer.names {
		b.ReportMetric(1e6*median(name)/float64(len(rows)), name+"-µs/polymer")
		b.ReportMetric(median(name)/median("go"), name+"/go")
	}
}

// peer is a running bench_peers.py.
type peer struct {
	names []string
	out   *bufio.Reader
	ask   func(name string) error
}

func startPeer(b *testing.B, python string, rows []string) *peer {
	b.Helper()
	file := filepath.Join(b.TempDir(), "rows.smi")
	if err := os.WriteFile(file, []byte(strings.Join(rows, "\n")), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), python, filepath.Join("testdata", "bench_peers.py"), file)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		cmd.Wait() //nolint:errcheck // it may have been killed with the context
	})
	p := &peer{out: bufio.NewReader(stdout), ask: func(name string) error {
		_, err := fmt.Fprintln(stdin, name)
		return err
	}}
	line, err := p.out.ReadString('\n')
	if err != nil {
		b.Fatalf("bench_peers.py did not start: %v", err)
	}
	if err := json.Unmarshal([]byte(line), &p.names); err != nil {
		b.Fatal(err)
	}
	return p
}

// run has the peer make one pass and returns its seconds.
func (p *peer) run(b *testing.B, name string) float64 {
	b.Helper()
	if err := p.ask(name); err != nil {
		b.Fatal(err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	s, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	if err != nil {
		b.Fatal(err)
	}
	return s
}
