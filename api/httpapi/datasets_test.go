package httpapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/datasets"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

func newBucket(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// polymers is a small table: n rows with Tg and, from the 10th on, a density.
func polymers(n int) string {
	var b strings.Builder
	b.WriteString("smiles_repeat_unit,Tg (C),Density (g/cm3)\n")
	for i := range n {
		fmt.Fprintf(&b, "*C%sO*,%d,", strings.Repeat("C", i+1), 10*i)
		if i >= 10 {
			fmt.Fprintf(&b, "%g", 1+float64(i)/100)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func serveDatasets(t *testing.T, l datasets.Limits) string {
	t.Helper()
	library := datasets.New(newBucket(t), l, func() time.Time { return noon })
	return serve(t, Config{}, &Datasets{Library: library}).URL
}

var csvType = map[string]string{"Content-Type": "text/csv; charset=utf-8"}

func decode[T any](t *testing.T, body []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

func TestDatasetRoutes(t *testing.T) {
	url := serveDatasets(t, datasets.Limits{})
	resp, body := apitest.Request{Method: "POST", Path: "/v1/datasets?name=mine", Header: csvType, Body: polymers(12)}.Send(t, url)
	d := decode[datasets.Dataset](t, body)
	if resp.StatusCode != http.StatusCreated || resp.Header.Get("Location") != "/v1/datasets/"+d.ID || d.Name != "mine" || d.Rows != 12 {
		t.Fatalf("created: %d, %s, %s", resp.StatusCode, resp.Header.Get("Location"), body)
	}
	resp, again := apitest.Request{Path: "/v1/datasets/" + d.ID}.Send(t, url)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(again, body) {
		t.Errorf("read back: %d %s", resp.StatusCode, again)
	}
	_, body = apitest.Request{Path: "/v1/datasets?limit=1"}.Send(t, url)
	l := decode[List[datasets.Dataset]](t, body)
	if l.Object != "list" || len(l.Data) != 1 || l.Data[0].ID != d.ID || !l.HasMore || l.NextAfter == nil || *l.NextAfter != d.ID {
		t.Errorf("listed %s", body)
	}
	_, body = apitest.Request{Path: "/v1/datasets?after=" + *l.NextAfter}.Send(t, url)
	if l := decode[List[datasets.Dataset]](t, body); len(l.Data) != 2 || l.HasMore || l.NextAfter != nil || !l.Data[0].Shipped {
		t.Errorf("the rest is %s", body)
	}
	resp, body = apitest.Request{Method: "DELETE", Path: "/v1/datasets/" + d.ID}.Send(t, url)
	if resp.StatusCode != http.StatusNoContent || len(body) > 0 {
		t.Errorf("deleted: %d %s", resp.StatusCode, body)
	}
	apitest.Request{Path: "/v1/datasets/" + d.ID}.Problem(t, url, http.StatusNotFound, "not_found")
	apitest.Request{Method: "DELETE", Path: "/v1/datasets/" + d.ID}.Problem(t, url, http.StatusNotFound, "not_found")
	apitest.Request{Method: "DELETE", Path: "/v1/datasets/polymers_seven_properties"}.Problem(t, url, http.StatusConflict, "conflict")
	apitest.Request{Path: "/v1/datasets/..%2f..%2fetc"}.Problem(t, url, http.StatusNotFound, "not_found")
	apitest.Request{Path: "/v1/datasets?limit=1000"}.Problem(t, url, http.StatusUnprocessableEntity, "invalid")
}

// form is a multipart body with a file.
func form(t *testing.T, name string, content []byte, fields ...string) apitest.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return apitest.Request{Method: "POST", Path: "/v1/datasets", Header: map[string]string{"Content-Type": w.FormDataContentType()}, Body: b.String()}
}

func TestUploads(t *testing.T) {
	url := serveDatasets(t, datasets.Limits{})
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	fmt.Fprint(w, polymers(12))
	w.Close()
	for name, r := range map[string]apitest.Request{
		"my table": form(t, `C:\data\my table.csv.gz`, z.Bytes()),
		"named":    form(t, "x.csv", []byte(polymers(12)), "name", "named"),
		"dataset":  {Method: "POST", Path: "/v1/datasets", Header: map[string]string{"Content-Type": "application/gzip"}, Body: z.String()},
	} {
		resp, body := r.Send(t, url)
		if d := decode[datasets.Dataset](t, body); resp.StatusCode != http.StatusCreated || d.Name != name || d.Rows != 12 {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	p := apitest.Request{Method: "POST", Path: "/v1/datasets", Header: csvType, Body: "smiles_polymer,Tg\nC(,1\nCC,x\n"}.
		Problem(t, url, http.StatusUnprocessableEntity, "invalid")
	if len(p.Errors) != 2 || p.Errors[0].Pointer != "/rows/2/smiles_polymer" || p.Errors[1].Pointer != "/rows/3/Tg" {
		t.Errorf("problems %+v", p.Errors)
	}
}

func TestHostileUploads(t *testing.T) {
	library := datasets.New(newBucket(t), datasets.Limits{Bytes: 1000}, nil)
	url := serve(t, Config{Limits: Limits{Dataset: 1000}}, &Datasets{Library: library}).URL
	post := func(kind, body string) apitest.Request {
		return apitest.Request{Method: "POST", Path: "/v1/datasets", Header: map[string]string{"Content-Type": kind}, Body: body}
	}
	large := "smiles_polymer,Tg\n" + strings.Repeat("CC,1\n", 1<<20)
	post("text/csv", large).Problem(t, url, http.StatusRequestEntityTooLarge, "too_large")
	form(t, "x.csv", []byte(large)).Problem(t, url, http.StatusRequestEntityTooLarge, "too_large")
	post("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=other\r\n\r\n"+large).
		Problem(t, url, http.StatusRequestEntityTooLarge, "too_large")
	post("application/json", `{"rows":[]}`).Problem(t, url, http.StatusUnsupportedMediaType, "unsupported_media_type")
	post("", "a,b\n1,2\n").Problem(t, url, http.StatusUnsupportedMediaType, "unsupported_media_type")
	post("multipart/form-data", "x").Problem(t, url, http.StatusBadRequest, "malformed")
	post("multipart/form-data; boundary=x", "x").Problem(t, url, http.StatusBadRequest, "malformed")
	post("multipart/form-data; boundary=x", "--x--\r\n").Problem(t, url, http.StatusBadRequest, "malformed")
	post("text/csv", "").Problem(t, url, http.StatusUnprocessableEntity, "invalid")
	post("text/csv", "\x7fELF\x00\x00").Problem(t, url, http.StatusUnprocessableEntity, "invalid")
	post("text/csv", "PK\x03\x04 no archive").Problem(t, url, http.StatusUnprocessableEntity, "invalid")
	apitest.Request{Method: "POST", Path: "/v1/datasets?name=" + strings.Repeat("x", 300), Header: csvType, Body: polymers(3)}.
		Problem(t, url, http.StatusUnprocessableEntity, "invalid")
}

// Rows with defects are left out if asked; what was read, and what was found, can
// be asked for.
func TestDatasetRowsAndReport(t *testing.T) {
	url := newBench(t, nil).url
	table := polymers(12) + "*CC,3\n*C(*)C*,4\n"
	refused := apitest.Request{Method: "POST", Path: "/v1/datasets", Header: csvType, Body: table}.Problem(t, url, http.StatusUnprocessableEntity, "invalid")
	if len(refused.Errors) != 2 {
		t.Errorf("refused for %v", refused.Errors)
	}
	apitest.Request{Method: "POST", Path: "/v1/datasets?on_defect=mend", Header: csvType, Body: table}.Problem(t, url, http.StatusUnprocessableEntity, "invalid")
	resp, body := apitest.Request{Method: "POST", Path: "/v1/datasets?on_defect=drop", Header: csvType, Body: table}.Send(t, url)
	d := decode[datasets.Dataset](t, body)
	if resp.StatusCode != http.StatusCreated || d.Rows != 12 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	_, body = apitest.Request{Path: "/v1/datasets/" + d.ID + "/report"}.Send(t, url)
	if r := decode[datasets.Report](t, body); r.Dropped != 2 || r.Rows != 14 || r.Defects[0].Row != 14 {
		t.Errorf("the report is %s", body)
	}
	var seen []int
	for after := ""; ; {
		_, body = apitest.Request{Path: "/v1/datasets/" + d.ID + "/rows?limit=5&after=" + after}.Send(t, url)
		page := decode[rowList](t, body)
		for _, r := range page.Data {
			seen = append(seen, r.Row)
		}
		if page.NextAfter == nil {
			break
		}
		after = *page.NextAfter
	}
	if len(seen) != 12 || seen[0] != 2 {
		t.Errorf("rows %v", seen)
	}
	resp, body = apitest.Request{Path: "/v1/datasets/" + d.ID + "/rows", Header: map[string]string{"Accept": "text/csv"}}.Send(t, url)
	if string(body) != polymers(12) || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("as CSV it is %s", body)
	}
	apitest.Request{Path: "/v1/datasets/" + d.ID + "/rows?after=x"}.Problem(t, url, http.StatusUnprocessableEntity, "invalid")
	apitest.Request{Path: "/v1/datasets/ds_nope/report"}.Problem(t, url, http.StatusNotFound, "not_found")
	apitest.Request{Path: "/v1/datasets/ds_nope/rows"}.Problem(t, url, http.StatusNotFound, "not_found")
}
