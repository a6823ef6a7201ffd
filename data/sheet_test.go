package data

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// workbook makes an .xlsx of one sheet.
func workbook(t testing.TB, rows ...[]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	for i, row := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadXLSX(t *testing.T) {
	book := workbook(t,
		[]any{"smiles_polymer", "pm", "Tg", "note"},
		[]any{"C", 0.1, 36.6},
		nil,
		[]any{"CC", nil, "12,3", "x"},
	)
	s, err := ReadSheet(bytes.NewReader(book), "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "sheet", []any{s.Header, s.Rows}, []any{
		[]string{"smiles_polymer", "pm", "Tg", "note"},
		[]Line{newLine(2, []string{"C", "0.1", "36.6", ""}), newLine(4, []string{"CC", "", "12,3", "x"})}})
	ds := defects(t, string(book), Columns{Targets: []string{"Tg"}}, Options{})
	wantEqual(t, "defects", reasons(ds), []string{`row 4, column Tg: "12,3" has a decimal comma; use a point`})
}

// A value shown as 71% is 0.71 all the same, and hashes as in the CSV.
func TestReadXLSXRawValues(t *testing.T) {
	f := excelize.NewFile()
	defer f.Close()
	for cell, v := range map[string]any{"A1": "smiles_polymer", "B1": "Tg", "A2": "C", "B2": 0.71} {
		if err := f.SetCellValue("Sheet1", cell, v); err != nil {
			t.Fatal(err)
		}
	}
	style, err := f.NewStyle(&excelize.Style{NumFmt: 9}) // whole percent
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetCellStyle("Sheet1", "B2", "B2", style); err != nil {
		t.Fatal(err)
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	x, err := ReadSheet(b, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := ReadSheet(strings.NewReader("smiles_polymer,Tg\nC,0.710\n"), "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if x.Hash() != c.Hash() {
		t.Errorf("cells %v and %v", x.Rows, c.Rows)
	}
}

func TestReadCSVDialects(t *testing.T) {
	want := []Line{newLine(2, []string{"a,b", "1", ""}), newLine(3, []string{"c", "2\n3", "x"})}
	for name, text := range map[string]string{
		"plain":        "p,q,r\n\"a,b\",1,\nc,\"2\n3\",x\n",
		"CRLF, BOM":    "\ufeffp,q,r\r\n\"a,b\",1,\r\nc,\"2\r\n3\",x",
		"semicolon":    "p;q;r\n\"a,b\";1;\nc;\"2\n3\";x\n",
		"tab":          "p\tq\tr\na,b\t1\t\nc\t\"2\n3\"\tx\n",
		"blank tail":   "p,q,r\n\"a,b\",1,,,\nc,\"2\n3\",x, ,\n,,,,\n",
		"spaces":       " p, q ,r\n \"a,b\",1,\nc,\"2\n3\",x\n",
		"bar":          "p|q|r\n\"a,b\"|1|\nc|\"2\n3\"|x\n",
		"comma inside": "\"p\";q;r\n\"a,b\";1;\nc;\"2\n3\";x\n",
	} {
		s, err := ReadSheet(strings.NewReader(text), "", Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantEqual(t, name, []any{s.Header, s.Rows}, []any{[]string{"p", "q", "r"}, want})
	}
}

// Rows are numbered as a spreadsheet numbers them, blank lines and cells of
// several lines included.
func TestReadCSVNumbersRows(t *testing.T) {
	text := "\na,b\n1,2\n\n\n\"3\n3\n3\",4\n\"5\"5,\n\n6,\"\"\n"
	s, err := ReadSheet(strings.NewReader(text), "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	var rows []int
	for _, l := range s.Rows {
		rows = append(rows, l.Row)
	}
	wantEqual(t, "rows", rows, []int{3, 6, 7, 9})
	ds := defects(t, "\n\nsmiles_polymer,Tg,Tg\nC,1,1\n", Columns{}, Options{})
	wantEqual(t, "header", reasons(ds), []string{"row 3, column Tg: two columns have this name"})
}

func TestReadCSVLatin1(t *testing.T) {
	table, _ := mustRead(t, "smiles_polymer,Tg (\xb0C)\nC,1\n", Columns{}, Options{})
	wantEqual(t, "target", table.Targets[0], Target{"Tg", "Tg (°C)", "°C"})
}

func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.String()
}

func TestReadSheetRefuses(t *testing.T) {
	long := strings.Repeat("smiles_polymer,Tg\n", 100)
	book := string(workbook(t, []any{"a", "b", "c"}, []any{strings.Repeat("C", 3000), 2, 3}, []any{4, 5, 6}))
	for name, tc := range map[string]struct {
		text string
		o    Options
		want error
	}{
		"bytes":              {long, Options{MaxBytes: 1000}, ErrTooLarge},
		"unpacked bytes":     {packed(long), Options{MaxBytes: 1000}, ErrTooLarge},
		"rows":               {long, Options{MaxRows: 50}, ErrTooLarge},
		"columns":            {strings.Repeat("a,", 1001), Options{}, ErrTooLarge},
		"a name":             {strings.Repeat("a", 257), Options{}, ErrTooLarge},
		"workbook rows":      {book, Options{MaxRows: 1}, ErrTooLarge},
		"workbook columns":   {book, Options{MaxColumns: 2}, ErrTooLarge},
		"workbook bytes":     {book, Options{MaxBytes: 2000}, ErrTooLarge},
		"unpacked workbook":  {book, Options{MaxBytes: int64(len(book)) + 1, MaxRows: 1}, ErrTooLarge},
		"broken gzip":        {packed(long)[:40], Options{}, ErrFormat},
		"gzip header":        {"\x1f\x8bxx", Options{}, ErrFormat},
		"gzip in gzip":       {packed(packed(long)), Options{}, ErrFormat},
		"a zip of something": {"PK\x03\x04nothing", Options{}, ErrFormat},
		"a cut workbook":     {book[:len(book)/2], Options{}, ErrFormat},
		".xls":               {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Options{}, ErrFormat},
		"UTF-16":             {"\xff\xfea\x00", Options{}, ErrFormat},
		"binary":             {"a\x00b", Options{}, ErrFormat},
		"a cell":             {"a,b\n" + strings.Repeat("C", 100_001) + ",1\n", Options{}, ErrTooLarge},
		"a row":              {"a,b\n" + strings.Repeat("C", 1<<20+1) + ",1\n", Options{}, ErrTooLarge},
		"a quoted row":       {"a,b\n\"" + strings.Repeat("C\n", 1<<20) + "\",1\n", Options{}, ErrTooLarge},
		"a wide row":         {"a,b\n" + strings.Repeat(",", 20_000), Options{}, ErrTooLarge},
	} {
		if _, err := ReadSheet(strings.NewReader(tc.text), "f", tc.o); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
	}
	broken := errors.New("line cut")
	if _, err := ReadSheet(io.MultiReader(strings.NewReader("a,b\n"), failing{broken}), "", Options{}); !errors.Is(err, broken) {
		t.Errorf("error %v, want the reader's", err)
	}
	s, err := ReadSheet(strings.NewReader(long), "", Options{MaxBytes: int64(len(long)), MaxRows: 99})
	if err != nil || len(s.Rows) != 99 {
		t.Errorf("a file at its limits: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzReadXLSX puts hostile XML where a workbook has its sheet and its strings.
func FuzzReadXLSX(f *testing.F) {
	const sheet = `<worksheet><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>smiles_polymer</t></is></c><c r="B1" t="s"><v>0</v></c></row>
<row r="3"><c r="A3" t="str"><v>C</v></c><c r="XFD3"><v>1</v></c></row></sheetData></worksheet>`
	f.Add(sheet, `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>Tg</t></si></sst>`)
	f.Add(`<worksheet><sheetData><row r="-1"><c r="A0" t="s"><v>-7</v></c></row></sheetData></worksheet>`, `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`)
	f.Add(`<worksheet><sheetData><row r="1048577"/></sheetData></worksheet>`, "")
	template := unzipped(f, workbook(f, []any{"a"}))
	f.Fuzz(func(t *testing.T, sheet, shared string) {
		parts := maps.Clone(template)
		parts["xl/worksheets/sheet1.xml"], parts["xl/sharedStrings.xml"] = sheet, shared
		book, err := zipped(parts)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ReadSheet(bytes.NewReader(book), "", Options{})
		if err == nil {
			Parse(t.Context(), []*Sheet{s}, Columns{}, Options{})
		} else if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("error %v of no kind", err)
		}
	})
}

// unzipped is an archive's files.
func unzipped(t testing.TB, archive []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, file := range z.File {
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[file.Name] = string(text)
	}
	return files
}

// zipped packs files in the order of their names.
func zipped(files map[string]string) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func FuzzReadCSV(f *testing.F) {
	for _, s := range []string{
		"smiles_polymer,Tg\nC,1\n", "\ufeffmonomers;mechanism;Tg (K)\r\n\"('C', 'O')\";ester;1,5\r\n", "a\tb\n\"x", ",,,\n\"\"\n",
		"smiles_polymer,property,value,units\nC,Tg,1,K\nC,Tg,2,C\n", "smiles_polymer,Tg,Tg,Tg_units\nC,1,2,3\nC\n", "\"\n", "a\xff,b\n",
		"smiles_repeat_unit,pm,DP,distribution,Tg\n*C*,2,0.5,[1,Tg\n", packed("smiles_polymer,Tg\nC,1\n"),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.HasPrefix(text, []byte("PK\x03\x04")) {
			t.Skip("workbooks are the library's to fuzz")
		}
		s, err := ReadSheet(bytes.NewReader(text), "", Options{MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		s.Hash()
		for _, o := range []Options{{MinValues: 1}, {MinValues: 1, DropBadRows: true}, {ForPrediction: true}} {
			o.Check = noX
			table, report, err := Parse(t.Context(), []*Sheet{s}, Columns{}, o)
			if (err == nil) != (table != nil) {
				t.Fatalf("table %v and error %v", table, err)
			}
			if err != nil {
				continue
			}
			if n := table.Rows(); n != report.Kept || len(table.Y) != n*len(table.Targets) || len(table.Origin) != n {
				t.Fatalf("table %+v, report %+v", table, report)
			}
			var b bytes.Buffer
			if err := table.WriteCSV(&b); err != nil {
				t.Fatal(err)
			}
			if o.ForPrediction {
				continue
			}
			back, _, err := Read(t.Context(), &b, "", Columns{}, Options{MinValues: 1, MaxBytes: 1 << 30})
			if err != nil || back.Hash() != table.Hash() {
				t.Fatalf("the table is written and read as another: %v\n%s", err, &b)
			}
		}
	})
}

// Files that are no table are refused as what they are.
func TestReadSheetNamesWhatItRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"Git LFS":   {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "Git LFS"},
		"PDF":       {"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n", "PDF"},
		"zip":       {string(archive(t, map[string]string{"table.csv": "smiles_polymer,Tg\nCC,1\n"})), "zip archive"},
		"ods":       {string(archive(t, map[string]string{"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<x/>"})), "OpenDocument"},
		"docx":      {string(archive(t, map[string]string{"word/document.xml": "<x/>"})), "no workbook"},
		"HTML":      {"\n<!DOCTYPE html>\n<html><body>404</body></html>", "HTML"},
		"JSON":      {`[{"smiles": "*CC*"}]`, "JSON"},
		"Parquet":   {"PAR1\x15\x04", "Parquet"},
		"Shift-JIS": {"\x8d\x82\x95\xaa\x8eq,smiles_polymer,Tg\n\x83|\x83\x8a\x83G\x83`\x83\x8c\x83\x93,CC,-120\n", "Shift-JIS"},
		"GB18030":   {"\xbe\xdb\xba\xcf\xce\xef,smiles_polymer,Tg\n\xbe\xdb\xd2\xd2\xcf\xa9,CC,-120\n", "GB18030"},
	} {
		if _, err := ReadSheet(strings.NewReader(c.text), "", Options{}); !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: error %v, want one of %s", name, err, c.says)
		}
	}
}

func archive(t testing.TB, files map[string]string) []byte {
	t.Helper()
	b, err := zipped(files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Tables as people have them are the table that they mean.
func TestReadSheetHabits(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		row  int // of the first polymer
	}{
		"plain":             {"smiles_polymer,Tg (°C)\nCC,-120\nCCO,5\n", 2},
		"carriage returns":  {"smiles_polymer,Tg (°C)\rCC,-120\rCCO,5\r", 2},
		"sep=;":             {"sep=;\r\nsmiles_polymer;Tg (°C)\r\nCC;-120\r\nCCO;5\r\n", 3},
		"\"sep=|\"":         {"\"sep=|\"\nsmiles_polymer|Tg (°C)\nCC|-120\nCCO|5\n", 3},
		"a title":           {"Supporting information, table S3\n\nsmiles_polymer,Tg (°C)\nCC,-120\nCCO,5\n", 4},
		"a title with tail": {"Table S3,\nsmiles_polymer,Tg (°C)\nCC,-120\nCCO,5\n", 3},
		"a row of units":    {"smiles_polymer,Tg\n,°C\nCC,-120\nCCO,5\n", 3},
		"units behind":      {"smiles_polymer,Tg\nCC,−120 °C\nCCO,5±2 °C\n", 2},
	} {
		table, _, err := read(t, c.text, Columns{}, Options{Check: noX})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantEqual(t, name, []any{table.Rows(), table.Y, table.Targets[0].Units, table.Origin[0].Row}, []any{2, []float64{-120, 5}, "°C", c.row})
	}
}

// Of a workbook the first sheet that is shown is read; TRUE and dates are none of
// the numbers they are stored as.
func TestReadXLSXHabits(t *testing.T) {
	f := excelize.NewFile()
	defer f.Close()
	f.NewSheet("data")
	when, err := f.NewStyle(&excelize.Style{NumFmt: 14})
	if err != nil {
		t.Fatal(err)
	}
	for cell, v := range map[string]any{"A1": "smiles_polymer", "B1": "Tg", "C1": "checked", "D1": "made", "A2": "CC", "B2": 1.5, "C2": true, "D2": 45292} {
		if err := f.SetCellValue("data", cell, v); err != nil {
			t.Fatal(err)
		}
	}
	f.SetCellStyle("data", "D2", "D2", when)
	f.SetSheetRow("Sheet1", "A1", &[]any{"notes", "x"})
	f.SetActiveSheet(1)
	if err := f.SetSheetVisible("Sheet1", false); err != nil {
		t.Fatal(err)
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	table, report, err := read(t, b.String(), Columns{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "targets", table.Targets, []Target{{"Tg", "Tg", ""}})
	if len(report.Warnings) != 1 || report.Warnings[0].Code != "hidden_sheets" {
		t.Errorf("warnings %v", report.Warnings)
	}
}

// Reading takes at most four times the bytes of the table, whatever is in it, and
// no time but for those bytes.
func TestReadIsBounded(t *testing.T) {
	wide := strings.Repeat("h,", 999) + "h\n" + strings.Repeat("a"+strings.Repeat(",", 999)+"\n", 2000)
	numbers := "smiles_polymer" + strings.Repeat(",p", 999) + "\n" + strings.Repeat("C"+strings.Repeat(",1", 999)+"\n", 1000)
	for name, text := range map[string]string{
		"empty cells":   wide,
		"numbers":       numberedHeader(numbers),
		"commas":        strings.Repeat(",", 2<<20),
		"lines":         "a\n" + strings.Repeat("\n", 2<<20),
		"an open quote": "a,b\n\"" + strings.Repeat("x\n", 1<<20),
		"packed commas": packed(strings.Repeat(",", 2<<20)),
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		Read(t.Context(), strings.NewReader(text), "", Columns{}, Options{Check: noX})
		runtime.ReadMemStats(&after)
		size := max(len(text), 2<<20)
		if used := after.TotalAlloc - before.TotalAlloc; used > 4*uint64(size) {
			t.Errorf("%s: %d bytes allocated for %d", name, used, size)
		}
	}
}

// numberedHeader gives the columns of a table's first line different names.
func numberedHeader(text string) string {
	header, rest, _ := strings.Cut(text, "\n")
	names := strings.Split(header, ",")
	for i := 1; i < len(names); i++ {
		names[i] += fmt.Sprint(i)
	}
	return strings.Join(names, ",") + "\n" + rest
}

// A workbook that unpacks to much more than it has is refused by its list of parts.
func TestReadXLSXBomb(t *testing.T) {
	parts := unzipped(t, workbook(t, []any{"a"}))
	parts["xl/theme/theme1.xml"] = strings.Repeat(" ", 17<<20)
	for name, o := range map[string]Options{"other parts": {}, "sheets": {MaxBytes: 1 << 20}} {
		if _, err := ReadSheet(bytes.NewReader(archive(t, parts)), "", o); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: error %v, want %v", name, err, ErrTooLarge)
		}
	}
}

// TestCutCharacter: what is looked at of a file to tell its encoding may end within
// a character, wherever that is.
func TestCutCharacter(t *testing.T) {
	for shift := range 8 {
		text := strings.Repeat("x", shift) + ",smiles_polymer,Tg,Tg_units\n" + strings.Repeat("a,CCO,1,°C\nb,CCC,2,g/cm³\nc,CCN,3,聚合物\n", 1000)
		if _, err := ReadSheet(strings.NewReader(text), "", Options{}); err != nil {
			t.Errorf("shifted by %d: %v", shift, err)
		}
	}
	for n := range len("°") + 1 {
		if name := encoding([]byte("a°b°c°"[:len("a°b°c")+n])); name != "" {
			t.Errorf("cut after %d bytes of a character it is called %s", n, name)
		}
	}
}
