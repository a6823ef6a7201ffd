package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/nn/keras"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
)

const benchRepo = "polyid/bench"

// BenchmarkInference is the inference side as a process of its own, with five
// networks of PolyID's size: how long from its start to the first prediction with
// the models in its cache; then, through HTTP and no two of them equal, polymers a
// second, the time of a request and the most memory the process had. With
// POLYID_PYTHON and HUB_PYTHON set, PolyID in Python predicts some of the same
// polymers with the same models.
//
// The polymers are those of PolyID's own table, 0.38 GFLOP a network each, or of
// the second table, 0.50.
//
//	go test ./api -run '^$' -bench Inference -benchtime 300x
func BenchmarkInference(b *testing.B) {
	endpoint := hubWithFull(b)
	for _, table := range []struct {
		name   string
		inputs []map[string]any
	}{
		{"polyesters", polyesters()},
		{"seven properties", repeatUnits()},
	} {
		for _, load := range []struct{ perRequest, clients int }{{1, 1}, {1, 8}, {20, 2}} {
			var chains []string
			b.Run(fmt.Sprintf("table=%s/polymers=%d/clients=%d", table.name, load.perRequest, load.clients), func(b *testing.B) {
				if b.N > len(table.inputs) {
					b.Skipf("there are %d polymers", len(table.inputs))
				}
				chains = benchInference(b, endpoint, table.inputs[:b.N], load.perRequest, load.clients)
			})
			if load.clients == 2 && len(chains) > 0 {
				b.Run(fmt.Sprintf("table=%s/PolyID", table.name), func(b *testing.B) { polyidPredicts(b, endpoint, chains) })
			}
		}
	}
}

// benchInference has clients ask for predictions until there is one of each input,
// and returns the chains they are of.
func benchInference(b *testing.B, endpoint string, inputs []map[string]any, perRequest, clients int) []string {
	s, first := inference(b, endpoint)
	var next, failed atomic.Int64
	times, chains := make([][]time.Duration, clients), make([][]string, clients)
	b.ResetTimer()
	var asking sync.WaitGroup
	for c := range clients {
		asking.Go(func() {
			for {
				to := int(next.Add(int64(perRequest)))
				from := to - perRequest
				if from >= len(inputs) {
					return
				}
				began := time.Now()
				answer, err := s.ask(inputs[from:min(to, len(inputs))])
				if err != nil {
					b.Error(err)
					return
				}
				times[c] = append(times[c], time.Since(began))
				failed.Add(int64(answer.Counts.Failed))
				for _, r := range answer.Results {
					if r.SMILES != "" {
						chains[c] = append(chains[c], r.SMILES)
					}
				}
			}
		})
	}
	asking.Wait()
	b.StopTimer()
	all := slices.Concat(times...)
	slices.Sort(all)
	if len(all) == 0 {
		b.Fatal("nothing was answered")
	}
	ms := func(d time.Duration) float64 { return 1e3 * d.Seconds() }
	b.ReportMetric(float64(len(inputs))/b.Elapsed().Seconds(), "polymers/s")
	b.ReportMetric(ms(all[len(all)/2]), "ms-median")
	b.ReportMetric(ms(all[len(all)*99/100]), "ms-p99")
	b.ReportMetric(first.Seconds(), "s-to-first")
	b.ReportMetric(s.peak(), "MB-peak")
	b.ReportMetric(float64(failed.Load())/float64(len(inputs)), "refused/polymer")
	return slices.Concat(chains...)
}

// hubWithFull is the address of a Hub that has five networks of PolyID's size.
func hubWithFull(b *testing.B) (endpoint string) {
	b.Helper()
	h, err := hubserver.New(hubserver.Config{Dir: b.TempDir(), Prefix: "/hub"})
	if err != nil {
		b.Fatal(err)
	}
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	endpoint = s.URL + "/hub"
	client, err := hub.New(hub.Config{Endpoint: endpoint, CacheDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	if err := client.EnsureRepo(b.Context(), benchRepo, false); err != nil {
		b.Fatal(err)
	}
	m := hub.Commit{Summary: "publish"}
	r := revisiontest.Full(b, 5, 1)
	put := func(path string, body []byte) error {
		m.Add = append(m.Add, hub.Bytes(path, body))
		return nil
	}
	if err := r.Write(put, func(put revision.Put) error { return keras.Write(r.Models, keras.Options{}, put) }); err != nil {
		b.Fatal(err)
	}
	if _, err := client.Commit(b.Context(), benchRepo, "main", m); err != nil {
		b.Fatal(err)
	}
	return endpoint
}

// polyesters are those of PolyID's table, with 3 to 20 units; the table's have 10.
func polyesters() (inputs []map[string]any) {
	d, _ := data.Shipped("stereopolymer_input_nopush")
	var pairs []string // R and S
	for _, r := range d.Sheet().Rows {
		if pair := r.Cell(0); !slices.Contains(pairs, pair) {
			pairs = append(pairs, pair)
		}
	}
	for i := range 18 * len(pairs) {
		inputs = append(inputs, map[string]any{
			"monomers": strings.Split(pairs[i%len(pairs)], "."), "mechanism": "ester_stereo", "pm": 0.5, "dp": 3 + (i+i/18)%18, "replicates": 1,
		})
	}
	return inputs
}

// repeatUnits are those of the second shipped table, which is sorted: every tenth
// first, then the next of each.
func repeatUnits() (inputs []map[string]any) {
	d, _ := data.Shipped("polymers_seven_properties")
	rows := d.Sheet().Rows
	const stride = 10
	for i := range stride {
		for k := i; k < len(rows); k += stride {
			inputs = append(inputs, map[string]any{"smiles_repeat_unit": rows[k].Cell(0)})
		}
	}
	return inputs
}

// inferer is a process that predicts.
type inferer struct {
	*process
	url string
}

// inference starts one with the models in its cache, and says how long it took
// until it had predicted.
func inference(b *testing.B, endpoint string) (s *inferer, first time.Duration) {
	b.Helper()
	program, err := apiProgram()
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	run := func() {
		_, port, _ := net.SplitHostPort(freeAddress(b))
		began := time.Now()
		s = &inferer{url: "http://127.0.0.1:" + port}
		s.process = start(b, program, []string{"ROLE=inference", "HF_ENDPOINT=" + endpoint, "HUB_REPO=" + benchRepo, "DATA_DIR=" + dir, "PORT=" + port}, "serve")
		until(b, "a prediction", func() bool {
			select {
			case <-s.done:
				b.Fatalf("it ended: %s", s.errs)
			default:
			}
			_, err := s.ask([]map[string]any{{"smiles_repeat_unit": "*OC(C)C(=O)*"}})
			return err == nil
		})
		first = time.Since(began)
	}
	run() // downloads
	s.kill()
	run()
	return s, first
}

// inferred is an answer of an inferer.
type inferred struct {
	Counts  struct{ OK, Failed int }
	Results []struct {
		SMILES string `json:"smiles_polymer"`
	}
}

// ask predicts some polymers.
func (s *inferer) ask(inputs []map[string]any) (*inferred, error) {
	body, err := json.Marshal(map[string]any{"inputs": inputs})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, s.url+"/v1/predictions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Prefer", "wait=60")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", res.Status, got)
	}
	a := new(inferred)
	return a, json.Unmarshal(got, a)
}

// peak is the most memory it has had, in MB; 0 where that is not told.
func (s *inferer) peak() float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1000
		}
	}
	return 0
}

// polyidPredicts has PolyID load the same models and predict some of the chains.
func polyidPredicts(b *testing.B, endpoint string, chains []string) {
	run := python(b)
	in, err := json.Marshal(chains[:min(len(chains), 64)])
	if err != nil {
		b.Fatal(err)
	}
	var seconds float64
	for range b.N {
		if seconds > 0 {
			break // once says it
		}
		out := run(fmt.Sprintf(`
import json, os, time
os.environ["HF_ENDPOINT"] = %q
import pandas as pd
from huggingface_hub import snapshot_download
from polyid import MultiModel
model = MultiModel.load_models(snapshot_download(%q))
chains = pd.DataFrame({"smiles_polymer": json.load(sys.stdin)})
model.make_predictions(chains[:4])
began = time.perf_counter()
model.make_predictions(chains)
print("\nRESULT", time.perf_counter() - began)
`, endpoint, benchRepo), in)
		_, text, _ := strings.Cut(string(out), "\nRESULT ")
		if _, err := fmt.Sscan(text, &seconds); err != nil {
			b.Fatalf("PolyID wrote %.2000s: %v", out, err)
		}
	}
	b.ReportMetric(float64(min(len(chains), 64))/seconds, "polymers/s")
}
