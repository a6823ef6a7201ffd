package data

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

// TestWorkbooksAreBounded holds that XML which no spreadsheet program writes is
// refused before the library reads it, and what such programs do write is read.
func TestWorkbooksAreBounded(t *testing.T) {
	const head, foot = `<worksheet><sheetData>`, `</sheetData></worksheet>`
	const strings1 = `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>smiles_polymer</t></si><si><t>Tg</t></si></sst>`
	rows := `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row><row r="2"><c r="A2" t="str"><v>C</v></c><c r="B2"><v>1</v></c></row>`
	template := unzipped(t, workbook(t, []any{"a"}))
	for name, tc := range map[string]struct {
		sheet, shared string
		want          error
	}{
		"a table":              {head + rows + foot, strings1, nil},
		"comments and quotes":  {`<?xml version="1.0" encoding="UTF-8"?><!-- a > b --><worksheet a=">" b='"'><sheetData>` + rows + foot, strings1, nil},
		"namespaces":           {head + strings.ReplaceAll(strings.ReplaceAll(rows, "<row", "<x:row"), "</row", "</x:row") + foot, strings1, nil},
		"nested elements":      {head + strings.Repeat("<a>", 1000) + foot, strings1, ErrTooLarge},
		"nesting in CDATA":     {head + strings.Repeat("<a><![CDATA[</a>]]>", 1000) + foot, strings1, ErrFormat},
		"nesting in a comment": {head + strings.Repeat("<a><!-- </a> -->", 1000) + foot, strings1, ErrTooLarge},
		"nesting in quotes":    {head + strings.Repeat(`<a b="></a>">`, 1000) + foot, strings1, ErrTooLarge},
		"attributes":           {head + "<row " + strings.Repeat(`a="1" `, 10_000) + "/>" + foot, strings1, ErrTooLarge},
		"an open tag":          {head + "<row " + strings.Repeat(`a`, 1<<20), strings1, ErrTooLarge},
		"an open quote":        {head + `<row a="` + strings.Repeat(`a`, 1<<20), strings1, ErrTooLarge},
		"blank rows":           {head + strings.Repeat("<row/>", 402_000) + foot, strings1, ErrTooLarge},
		"cells":                {head + "<row>" + strings.Repeat("<c/>", 17_000) + "</row>" + foot, strings1, ErrTooLarge},
		"a row of bytes":       {head + "<row>" + strings.Repeat("<c><v>"+strings.Repeat("1", 10_000)+"</v></c>", 1000) + "</row>" + foot, strings1, ErrTooLarge},
		"a text":               {head + rows + foot, `<sst><si><t>` + strings.Repeat("x", 1<<20) + `</t></si></sst>`, ErrTooLarge},
		"a text named often":   {head + "<row>" + strings.Repeat(`<c t="s"><v>0</v></c>`, 900) + "</row>" + foot, `<sst><si><t>` + strings.Repeat("x", 99_000) + `</t></si></sst>`, ErrTooLarge},
		"entities":             {`<!DOCTYPE a [<!ENTITY a "aaaa">]>` + head + rows + foot, strings1, ErrFormat},
		"UTF-16":               {`<?xml version="1.0" encoding="UTF-16"?>` + head + rows + foot, strings1, ErrFormat},
	} {
		for _, at := range []string{"xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.bin"} { // whatever the part is called
			parts := maps.Clone(template)
			delete(parts, "xl/worksheets/sheet1.xml")
			parts[at], parts["xl/sharedStrings.xml"] = tc.sheet, tc.shared
			parts["xl/_rels/workbook.xml.rels"] = strings.ReplaceAll(parts["xl/_rels/workbook.xml.rels"], "worksheets/sheet1.xml", strings.TrimPrefix(at, "xl/"))
			book, err := zipped(parts)
			if err != nil {
				t.Fatal(err)
			}
			s, err := ReadSheet(strings.NewReader(string(book)), "", Options{})
			if !errors.Is(err, tc.want) {
				t.Errorf("%s in %s: error %v, want %v", name, at, err, tc.want)
			}
			if err == nil && (len(s.Header) != 2 || len(s.Rows) != 1) {
				t.Errorf("%s in %s: read as %v and %d rows", name, at, s.Header, len(s.Rows))
			}
		}
	}
}
