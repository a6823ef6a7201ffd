package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// gzipped is a body compressed.
func gzipped(body func() []byte) func() []byte {
	return func() []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(body()); err != nil {
			panic(err) // a buffer takes everything
		}
		w.Close()
		return b.Bytes()
	}
}

// workbook is an XLSX file with a sheet and shared strings.
func workbook(sheet, shared func() []byte) func() []byte {
	return func() []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, part := range []struct {
			name string
			body []byte
		}{
			{"[Content_Types].xml", []byte(`<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`)},
			{"_rels/.rels", []byte(`<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`)},
			{"xl/workbook.xml", []byte(`<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>`)},
			{"xl/_rels/workbook.xml.rels", []byte(`<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`)},
			{"xl/worksheets/sheet1.xml", sheet()},
			{"xl/sharedStrings.xml", shared()},
		} {
			f, err := w.Create(part.name)
			if err != nil {
				panic(err)
			}
			if _, err := f.Write(part.body); err != nil {
				panic(err)
			}
		}
		w.Close()
		return b.Bytes()
	}
}

const (
	sheetHead = `<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`
	sheetFoot = `</sheetData></worksheet>`
)

// tables are hostile tables of about a size, by name.
func tables(size int) map[string]func() []byte {
	row := "CCO,1\n"
	return map[string]func() []byte{
		"commas": repeated("", ",", size, "\n"), "commas in a row": repeated("smiles,Tg\nCCO,1\n", ",", size, "\n"), "quotes": repeated("", `"`, size, ""), "an open quote": repeated("smiles,Tg\nCCO,\"", "x", size, ""),
		"empty lines": repeated("smiles,Tg\n", "\n", size, ""), "no line end": repeated("smiles,Tg\n", "C", size, ""), "a long polymer": repeated("smiles,Tg\n", "C", size, ",1\n"), "a ring of digits": repeated("smiles,Tg\nC", "1", size, ",1\n"),
		"branches": repeated("smiles,Tg\n", "C(", size, ",1\n"), "many rows of a column": repeated("smiles\n", "CCO\n", size, ""), "NUL bytes": repeated("", "\x00", size, ""), "no text": repeated("", "\xff\xfe", size, ""),
		"carriage returns": repeated("smiles,Tg\r", "CCO,1\r", size, ""), "equal columns": repeated("smiles", ",Tg", size, "\n"+row), "long numbers": repeated("smiles,Tg\nCCO,", "9", size, "\n"), "exponents": repeated("smiles,Tg\n", "CCO,1e999999999\n", size, ""),
		"bad rows": repeated("smiles,Tg\n", "C(,1\n", size, ""), "ragged rows": repeated("smiles,Tg\n", "C,1,2,3,4,5,6,7,8\n", size, ""), "rings": repeated("smiles,Tg\n", "C1CCC%10CC%11", size, ",1\n"), "brackets": repeated("smiles,Tg\n", "[", size, ",1\n"),
		"a bracket of digits": repeated("smiles,Tg\n[", "1", size, "C],1\n"), "dots": repeated("smiles,Tg\n", "C.", size, "C,1\n"), "a star of bonds": repeated("smiles,Tg\n", "*", size, ",1\n"),
	}
}

// tableAttack uploads a table and predicts it.
func tableAttack(name string, body func() []byte) []attack {
	csv := []string{"Content-Type", "text/csv"}
	return []attack{
		{name: "dataset of " + name, method: http.MethodPost, path: "/v1/datasets?on_defect=drop", header: csv, body: body, slow: true},
		{name: "dataset of gzipped " + name, method: http.MethodPost, path: "/v1/datasets", header: append([]string{"Content-Encoding", "gzip"}, csv...), body: gzipped(body), slow: true},
		{name: "prediction of " + name, method: http.MethodPost, path: "/v1/predictions", header: csv, body: body, slow: true},
	}
}

func sheets(size int) map[string]func() []byte {
	none := text(`<?xml version="1.0"?><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>`)
	return map[string]func() []byte{
		"a cell far out":  workbook(text(sheetHead+`<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>`+sheetFoot), none),
		"a cell beyond":   workbook(text(sheetHead+`<row r="99999999999"><c r="ZZZZZZZ99999999999"><v>1</v></c></row>`+sheetFoot), none),
		"many empty rows": workbook(repeated(sheetHead, `<row/>`, size, sheetFoot), none),
		"rows that are far": workbook(func() []byte {
			return []byte(sheetHead + numbered(size/60, `<row r="%d000"><c r="A%d000"><v>1</v></c></row>`) + sheetFoot)
		}, none),
		"nested elements":        workbook(repeated(sheetHead, "<a>", size, ""), none),
		"attributes":             workbook(repeated(sheetHead+"<row ", `a="1" `, size, "/>"+sheetFoot), none),
		"entities":               workbook(text(`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><worksheet>&b;</worksheet>`), none),
		"a shared string of all": workbook(repeated(sheetHead+`<row>`, `<c t="s"><v>0</v></c>`, size, `</row>`+sheetFoot), repeated(`<sst><si><t>`, "x", size, `</t></si></sst>`)),
		"many shared strings":    workbook(text(sheetHead+sheetFoot), repeated(`<sst>`, `<si><t>a</t></si>`, size, `</sst>`)),
		"no zip":                 text("PK\x03\x04" + strings.Repeat("\x00", 1000)),
		"an empty zip":           text("PK\x05\x06" + strings.Repeat("\x00", 18)),
	}
}

func sheetAttack(name string, body func() []byte) attack {
	return attack{name: "sheet of " + name, method: http.MethodPost, path: "/v1/datasets", slow: true, body: body,
		header: []string{"Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}}
}

// tableAttacks are small tables and bombs.
func tableAttacks() (out []attack) {
	for _, name := range slices.Sorted(maps.Keys(tables(0))) {
		out = append(out, tableAttack(name, tables(64 << 10)[name])...)
	}
	for name, body := range sheets(64 << 10) {
		out = append(out, sheetAttack(name, body))
	}
	zip := []string{"Content-Type", "application/gzip"}
	return append(out,
		attack{name: "no gzip", method: http.MethodPost, path: "/v1/datasets", header: zip, body: repeated("\x1f\x8b", "\x00", 1000, "")},
		attack{name: "half a gzip", method: http.MethodPost, path: "/v1/datasets", header: zip, body: func() []byte { return gzipped(repeated("smiles,Tg\n", "CCO,1\n", 100<<10, ""))()[:100] }},
		attack{name: "gzip in gzip", method: http.MethodPost, path: "/v1/datasets", header: zip, body: gzipped(gzipped(gzipped(repeated("", ",", 1<<20, ""))))},
		attack{name: "gzip of JSON", method: http.MethodPost, path: "/v1/training-jobs", header: []string{"Content-Type", "application/json", "Content-Encoding", "gzip"}, body: gzipped(repeated("[", "[", 4<<20, ""))},
	)
}

// largeTableAttacks fill what an upload may hold.
func largeTableAttacks() (out []attack) {
	for _, name := range slices.Sorted(maps.Keys(tables(0))) {
		out = append(out, tableAttack(name, tables(40 << 20)[name])...)
	}
	for name, body := range sheets(40 << 20) {
		out = append(out, sheetAttack(name, body))
	}
	bomb := func(name string, size int) attack {
		return attack{name: name, method: http.MethodPost, path: "/v1/datasets", header: []string{"Content-Type", "application/gzip"}, slow: true, body: gzipped(repeated("smiles,Tg\n", ",", size, "\n"))}
	}
	wide := func() []byte {
		return []byte("smiles" + numbered(999, ",c%d") + "\n" + strings.Repeat("CCO"+strings.Repeat(",", 999)+"\n", 90_000))
	}
	return append(out,
		bomb("50 million commas", 50_000_000), bomb("a gigabyte of commas", 1<<30),
		attack{name: "1,000 columns of 90,000 empty rows", method: http.MethodPost, path: "/v1/datasets", header: []string{"Content-Type", "text/csv"}, slow: true, body: wide},
		attack{name: "49 MB of commas to predict", method: http.MethodPost, path: "/v1/predictions", header: []string{"Content-Type", "text/csv"}, body: repeated("", ",", 49<<20, "\n")},
		attack{name: "a gigabyte of zeros as JSON", method: http.MethodPost, path: "/v1/training-jobs", header: []string{"Content-Type", "application/json", "Content-Encoding", "gzip"}, body: gzipped(repeated("", " ", 1<<30, ""))},
	)
}

// operation is one of the OpenAPI document with a body of JSON.
type operation struct {
	method, path string
	leaves       [][]string // the pointers of its properties
}

// operations reads which bodies the service takes, and of what properties.
func operations(t *testing.T, b *besieged) (out []operation) {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
		Components struct{ Schemas map[string]map[string]any }
	}
	b.call("GET", "/openapi.json", "", &doc)
	var leaves func(schema map[string]any, at []string) [][]string
	leaves = func(schema map[string]any, at []string) (out [][]string) {
		if ref, ok := schema["$ref"].(string); ok && len(at) < 5 {
			return leaves(doc.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")], at)
		}
		for _, of := range []string{"anyOf", "oneOf", "allOf"} {
			if several, ok := schema[of].([]any); ok {
				for _, one := range several {
					if one, ok := one.(map[string]any); ok {
						out = append(out, leaves(one, at)...)
					}
				}
			}
		}
		properties, _ := schema["properties"].(map[string]any)
		if items, ok := schema["items"].(map[string]any); ok && len(at) < 5 {
			out = append(out, leaves(items, append(slices.Clone(at), "0"))...)
		}
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			below, _ := properties[name].(map[string]any)
			here := append(slices.Clone(at), name)
			out = append(out, here)
			out = append(out, leaves(below, here)...)
		}
		return out
	}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for method, o := range doc.Paths[path] {
			if body, ok := o.RequestBody.Content["application/json"]; ok {
				all := leaves(body.Schema, nil)
				slices.SortFunc(all, func(a, b []string) int { return slices.Compare(a, b) })
				all = slices.CompactFunc(all, func(a, b []string) bool { return slices.Equal(a, b) })
				out = append(out, operation{strings.ToUpper(method), strings.NewReplacer("{id}", "tj_00000000000000000000000000").Replace(path), all})
			}
		}
	}
	if len(out) < 5 {
		t.Fatalf("the OpenAPI document has %d operations with bodies", len(out))
	}
	return out
}

// with is a valid body with one property replaced by JSON.
func with(base string, pointer []string, value string) []byte {
	var root any
	if err := json.Unmarshal([]byte(base), &root); err != nil {
		panic(err)
	}
	object, _ := root.(map[string]any)
	for _, name := range pointer[:len(pointer)-1] {
		below, ok := object[name].(map[string]any)
		if !ok { // also where a list stands: it is replaced by an object
			below = map[string]any{}
			if list, ok := object[name].([]any); ok && len(list) > 0 {
				if first, ok := list[0].(map[string]any); ok {
					below = first
					object = map[string]any{}
				}
			}
			object[name] = below
		}
		object = below
	}
	const here = "\x00here"
	object[pointer[len(pointer)-1]] = here
	out, err := json.Marshal(root)
	if err != nil {
		panic(err)
	}
	return bytes.Replace(out, []byte(`"\u0000here"`), []byte(value), 1)
}

// bases are valid bodies by path, to replace properties of.
func baseOf(path string) string {
	switch {
	case strings.HasPrefix(path, "/v1/training-jobs"):
		return string(small(1, `, "publish": {"promote": "never"}`))
	case path == "/v1/predictions":
		return `{"inputs":[{"smiles_polymer":"CCO"}]}`
	case path == "/v1/models/promote":
		return `{"revision":"main","to":"x"}`
	case path == "/v1/models/import":
		return `{"repo":"acme/tg"}`
	}
	return `{}`
}

// specAttacks put huge numbers everywhere.
func specAttacks(t *testing.T, b *besieged) (out []attack) {
	t.Helper()
	for _, o := range operations(t, b) {
		for _, leaf := range o.leaves {
			if o.path == "/v1/training-jobs" {
				break // an estimate reads the same, and trains nothing
			}
			for _, value := range []string{"1e9", "-1e300"} {
				a := post(o.method+" "+o.path+" "+strings.Join(leaf, "/")+" "+value, o.path, func() []byte { return with(baseOf(o.path), leaf, value) })
				a.method = o.method
				out = append(out, a)
			}
		}
		for name, body := range map[string]func() []byte{
			"nested lists": repeated("", "[", 400<<10, ""), "nested objects": repeated("", `{"a":`, 400<<10, ""), "nothing": text(""), "null": text("null"), "a number": repeated("", "9", 400<<10, ""),
			"half": text(`{"dataset":`), "no text": text("\xff\xfe{}"), "20,000 fields": func() []byte { return []byte("{" + numbered(20_000, `"f%d":%d,`) + `"x":1}`) }, "equal fields": repeated("{", `"dataset":"a",`, 400<<10, `"x":1}`),
		} {
			a := post(o.method+" "+o.path+" of "+name, o.path, body)
			a.method = o.method
			out = append(out, a)
		}
	}
	for _, path := range []string{"/v1/training-jobs", "/v1/datasets", "/v1/training-jobs/tj_x/events", "/v1/datasets/stereopolymer_input_nopush/rows", "/v1/usage", "/v1/models", "/v1/predictions/pj_x", "/jobs", "/predict"} {
		for _, query := range []string{"limit=99999999999999999999", "limit=-1", "limit=1e9", "after=" + strings.Repeat("a", 7000), "after=%00%ff", "month=9999999-99", "status=" + strings.Repeat("queued,", 1000), strings.Repeat("a=b&", 2000), "%zz=1"} {
			out = append(out, attack{name: fmt.Sprintf("%s?%.30s", path, query), method: http.MethodGet, path: path + "?" + query})
		}
	}
	return out
}

// largeSpecAttacks put long lists, objects and strings everywhere.
func largeSpecAttacks(t *testing.T, b *besieged) (out []attack) {
	t.Helper()
	values := map[string]func() []byte{
		"a string of 4 MB": repeated(`"`, "a", 4<<20, `"`), "100,000 equal names": repeated("[", `"stereopolymer_input_nopush",`, 29*100_000, `"Tg"]`), "100,000 columns": repeated("[", `"Tg",`, 500_000, `"Tg"]`),
		"300,000 keys": func() []byte { return []byte("{" + numbered(300_000, `"k%d":%d,`) + `"x":1}`) }, "a million numbers": repeated("[", "1,", 2<<20, "1]"), "nested lists": repeated("", "[", 9_000, strings.Repeat("]", 9_000)),
		"a million lists": repeated("[", "[],", 3<<20, "[]]"), "long keys": func() []byte {
			return []byte("{" + numbered(30, `"%d`+strings.Repeat("k", 100_000)+`":%d,`) + `"x":1}`)
		},
		"a huge number": text("9223372036854775807"), "no number": text("1e999"), "300,000 objects": repeated("[", `{"a":1},`, 8*300_000, `{}]`),
	}
	for _, o := range operations(t, b) {
		for _, leaf := range o.leaves {
			if o.path == "/v1/training-jobs" {
				break // as above
			}
			for name, value := range values {
				a := post(o.method+" "+o.path+" "+strings.Join(leaf, "/")+" of "+name, o.path, func() []byte { return with(baseOf(o.path), leaf, string(value())) })
				a.method = o.method
				out = append(out, a)
			}
		}
		for name, value := range values {
			a := post(o.method+" "+o.path+" is "+name, o.path, value)
			a.method = o.method
			out = append(out, a)
		}
	}
	return out
}

// spoken is an attack over a connection of its own.
func spoken(name string, talk func(ctx context.Context, c net.Conn) error) attack {
	return attack{name: name, raw: func(ctx context.Context, address string) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		defer c.Close()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		return talk(ctx, c)
	}}
}

// said writes a request, half of one, or none at all, and reads what is answered;
// any answer will do but one that blames the server.
func said(name, request string) attack {
	return spoken(name, func(_ context.Context, c net.Conn) error {
		if _, err := io.WriteString(c, request); err != nil {
			return nil // it did not want to hear more
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			return nil
		}
		line, _ := bufio.NewReader(c).ReadString('\n')
		if strings.HasPrefix(line, "HTTP/1.1 5") && !strings.HasPrefix(line, "HTTP/1.1 501") && !strings.HasPrefix(line, "HTTP/1.1 505") {
			return errors.New(line)
		}
		return nil
	})
}

// wireAttacks are of HTTP itself.
func wireAttacks() []attack {
	const host = "Host: localhost\r\n"
	return []attack{
		said("nothing", ""), said("noise", strings.Repeat("\x00\xff", 5000)), said("a long line", "GET /"+strings.Repeat("a", 2<<20)), said("many headers", "GET / HTTP/1.1\r\n"+host+numbered(30_000, "A%d: %d\r\n")),
		said("two lengths", "POST /v1/training-jobs HTTP/1.1\r\n"+host+"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), said("a length and chunks", "POST /v1/training-jobs HTTP/1.1\r\n"+host+"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		said("a negative length", "POST /v1/training-jobs HTTP/1.1\r\n"+host+"Content-Length: -1\r\n\r\n"), said("a huge length", "POST /v1/training-jobs HTTP/1.1\r\n"+host+"Content-Type: application/json\r\nContent-Length: 9223372036854775807\r\n\r\n{}"),
		said("a bad chunk", "POST /v1/training-jobs HTTP/1.1\r\n"+host+"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), said("a huge chunk", "POST /v1/datasets HTTP/1.1\r\n"+host+"Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc"),
		said("half a body", "POST /v1/datasets HTTP/1.1\r\n"+host+"Content-Type: text/csv\r\nContent-Length: 100000\r\n\r\nsmiles,Tg\n"), said("an odd method", "BREW / HTTP/1.1\r\n"+host+"\r\n"), said("an absolute address", "GET http://example.org/v1/training-jobs HTTP/1.1\r\nHost: example.org\r\n\r\n"),
		said("no host", "GET / HTTP/1.1\r\n\r\n"), said("HTTP/2 at once", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), said("a CONNECT", "CONNECT 127.0.0.1:22 HTTP/1.1\r\n"+host+"\r\n"), said("dots in the path", "GET /../../etc/passwd HTTP/1.1\r\n"+host+"\r\n"),
		said("a NUL in the path", "GET /v1/\x00 HTTP/1.1\r\n"+host+"\r\n"), said("expect", "POST /v1/datasets HTTP/1.1\r\n"+host+"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n"), said("trailers", "POST /v1/training-jobs HTTP/1.1\r\n"+host+"Trailer: "+strings.Repeat("a,", 5000)+"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"+numbered(1000, "a%d: %d\r\n")+"\r\n"),
		{name: "multipart of no end", method: http.MethodPost, path: "/v1/datasets", header: []string{"Content-Type", "multipart/form-data; boundary=x"}, body: repeated("--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n", "a", 200<<10, "")},
		{name: "multipart of many parts", method: http.MethodPost, path: "/v1/datasets", header: []string{"Content-Type", "multipart/form-data; boundary=x"}, body: repeated("", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n", 400<<10, "--x--")},
		{name: "multipart of many headers", method: http.MethodPost, path: "/v1/datasets", header: []string{"Content-Type", "multipart/form-data; boundary=x"}, body: func() []byte {
			return []byte("--x\r\n" + numbered(20_000, "A%d: %d\r\n") + "\r\nb\r\n--x--")
		}},
		{name: "an encoding unknown", method: http.MethodPost, path: "/v1/training-jobs", header: []string{"Content-Type", "application/json", "Content-Encoding", "br"}, body: text("{}")},
		{name: "a long key", method: http.MethodPost, path: "/v1/training-jobs", header: []string{"Content-Type", "application/json", "Idempotency-Key", strings.Repeat("k", 9000)}, body: text("{}")},
		{name: "waiting for ever", method: http.MethodPost, path: "/v1/predictions", header: []string{"Content-Type", "application/json", "Prefer", "wait=1e999"}, body: text(`{"inputs":[{"smiles_polymer":"CCO"}]}`)},
		{name: "an event far away", method: http.MethodGet, path: "/v1/training-jobs/tj_x/events", header: []string{"Accept", "text/event-stream", "Last-Event-ID", "99999999999999999999"}},
		{name: "a long cookie", method: http.MethodGet, path: "/jobs", header: []string{"Cookie", "session=" + strings.Repeat("a", 100_000)}},
	}
}

// slowAttacks hold connections open while others ask: bodies that trickle, answers
// that nobody reads.
func slowAttacks() []attack {
	hold := func(name string, n int, request string) attack {
		return attack{name: name, raw: func(ctx context.Context, address string) error {
			var conns []net.Conn
			var mu sync.Mutex
			defer func() {
				for _, c := range conns {
					c.Close()
				}
			}()
			for range n {
				c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
				if err != nil {
					return err
				}
				conns = append(conns, c)
				if _, err := io.WriteString(c, request); err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			began := time.Now()
			res, err := http.Get("http://" + address + "/readyz")
			if err != nil {
				return err
			}
			res.Body.Close()
			if took := time.Since(began); res.StatusCode != http.StatusOK || took > time.Second {
				return fmt.Errorf("beside %d such connections /readyz answers %d after %s", n, res.StatusCode, took)
			}
			return nil
		}}
	}
	const host = "Host: localhost\r\n"
	return []attack{
		hold("1,500 slow bodies", 1500, "POST /v1/datasets HTTP/1.1\r\n"+host+"Content-Type: text/csv\r\nContent-Length: 1000000\r\n\r\nsmiles,Tg\n"),
		hold("1,500 slow commits", 1500, "POST /hub/api/models/acme/tg/commit/main HTTP/1.1\r\n"+host+"Content-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n{"),
		hold("1,500 slow headers", 1500, "GET /v1/training-jobs HTTP/1.1\r\n"+host),
		hold("1,500 answers unread", 1500, "GET /openapi.json HTTP/1.1\r\n"+host+"\r\n"+"GET /openapi.json HTTP/1.1\r\n"+host+"\r\n"),
		hold("500 clones unread", 500, "GET /hub/acme/tg/info/refs?service=git-upload-pack HTTP/1.1\r\n"+host+"\r\n"),
	}
}
