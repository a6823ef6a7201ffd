package data

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Unpacked XML of a sheet is several times the text in it; xlsxInflation bounds
// how far a small archive may grow. Sheets and shared strings over xlsxInMemory
// go to a temporary file, and all other parts together may have xlsxOthers.
const (
	xlsxInflation = 5
	xlsxInMemory  = 1 << 20  // bytes
	xlsxOthers    = 16 << 20 // bytes
	xlsxParts     = 1000
)

// readXLSX streams the rows of the first sheet that is not hidden, raw values
// rather than what their formats show.
func (s *Sheet) readXLSX(r io.Reader, o Options) (err error) {
	packed, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := checkArchive(packed, o); err != nil {
		return err
	}
	// A workbook is a stranger's archive of XML; whatever it does to the
	// library is that file's fault and must not end the process.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: broken workbook: %v", ErrFormat, p)
		}
	}()
	f, err := excelize.OpenReader(bytes.NewReader(packed), excelize.Options{
		UnzipSizeLimit:    xlsxInflation * o.MaxBytes,
		UnzipXMLSizeLimit: min(xlsxInMemory, xlsxInflation*o.MaxBytes),
	})
	if err != nil {
		return xlsxError(err)
	}
	defer f.Close()
	name, hidden := visibleSheet(f)
	if hidden > 0 {
		s.warn("hidden_sheets", "the workbook's first %d sheets are hidden: %.60q is read", hidden, name)
	}
	rows, err := openRows(f, name)
	if err != nil {
		return xlsxError(err)
	}
	defer rows.close()
	text := int64(0)
	for row := 1; rows.next(); row++ {
		cells, err := rows.cells()
		if err != nil {
			return xlsxError(err)
		}
		for _, c := range cells {
			text += int64(len(c))
		}
		if text > o.MaxBytes {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, o.MaxBytes)
		}
		if s.Header != nil {
			cells = cutBlankTail(cells, len(s.Header))
			for len(cells) < len(s.Header) { // a sheet stores no trailing blanks
				cells = append(cells, "")
			}
		}
		if err := s.append(row, cells, o); err != nil {
			return err
		}
	}
	if err := rows.raw.Error(); err != nil {
		return xlsxError(err)
	}
	return nil
}

// checkArchive refuses what is no workbook, and one that would grow too far, by
// the archive's own list: a part that is larger than the list says ends reading.
func checkArchive(packed []byte, o Options) error {
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return fmt.Errorf("%w: broken zip archive: %v", ErrFormat, err)
	}
	workbook := false
	var others, all uint64
	for _, part := range z.File {
		name := strings.ToLower(part.Name)
		switch {
		case name == "xl/workbook.xml":
			workbook = true
		case name == "content.xml" || name == "mimetype":
			return fmt.Errorf("%w: an OpenDocument file (.ods); save it as .xlsx or CSV", ErrFormat)
		case name == "xl/workbook.bin":
			return fmt.Errorf("%w: an .xlsb workbook; save it as .xlsx or CSV", ErrFormat)
		case strings.HasPrefix(name, "word/"), strings.HasPrefix(name, "ppt/"):
			return fmt.Errorf("%w: an Office document that is no workbook; save the table as .xlsx or CSV", ErrFormat)
		}
		all += part.UncompressedSize64
		if name != "xl/sharedstrings.xml" && !strings.HasPrefix(name, "xl/worksheets/sheet") {
			others += part.UncompressedSize64
		}
	}
	switch {
	case !workbook:
		return fmt.Errorf("%w: a zip archive that is no workbook; unpack it", ErrFormat)
	case len(z.File) > xlsxParts:
		return fmt.Errorf("%w: the workbook has more than %d parts", ErrTooLarge, xlsxParts)
	case others > xlsxOthers || all > uint64(xlsxInflation*o.MaxBytes):
		return fmt.Errorf("%w: the workbook unpacks to %d bytes", ErrTooLarge, all)
	}
	return checkParts(z, o)
}

// checkParts refuses a workbook whose XML would take the library long, or much
// memory, to read.
func checkParts(z *zip.Reader, o Options) error {
	bounds := newXMLBounds(o)
	for _, part := range z.File {
		r, err := part.Open()
		if err != nil {
			return fmt.Errorf("%w: broken zip archive: %v", ErrFormat, err)
		}
		b := bufio.NewReader(r)
		if head, _ := b.Peek(sniffBytes); looksLikeXML(head) { // an error comes again
			err = bounds.part(b)
		}
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// looksLikeXML tells a part that can be read as XML from pictures and the like.
func looksLikeXML(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(head, "\xef\xbb\xbf \t\r\n"), []byte("<"))
}

// visibleSheet is the first sheet that is not hidden, or the first of all, and
// how many hidden ones come before it.
func visibleSheet(f *excelize.File) (name string, hidden int) {
	for i, name := range f.GetSheetList() {
		if visible, err := f.GetSheetVisible(name); err == nil && visible {
			return name, i
		}
	}
	return f.GetSheetName(0), 0
}

// sheetRows walks a sheet twice at once, by raw values and by what is shown: only
// the latter tells TRUE from 1 and a date from its serial number.
type sheetRows struct{ raw, shown *excelize.Rows }

func openRows(f *excelize.File, name string) (*sheetRows, error) {
	raw, err := f.Rows(name)
	if err != nil {
		return nil, err
	}
	shown, err := f.Rows(name)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return &sheetRows{raw, shown}, nil
}

func (r *sheetRows) close() {
	r.raw.Close()
	r.shown.Close()
}

func (r *sheetRows) next() bool { return r.raw.Next() && r.shown.Next() }

func (r *sheetRows) cells() ([]string, error) {
	cells, err := r.raw.Columns(excelize.Options{RawCellValue: true})
	if err != nil {
		return nil, err
	}
	shown, err := r.shown.Columns()
	if err != nil {
		return nil, err
	}
	for i := range min(len(cells), len(shown)) {
		if shown[i] != cells[i] && (shown[i] == "TRUE" || shown[i] == "FALSE" || looksLikeDate(shown[i])) {
			cells[i] = shown[i]
		}
	}
	return cells, nil
}

// looksLikeDate says that a number is shown as a date or a time: digits on both
// sides of a separator that no number has.
func looksLikeDate(shown string) bool {
	for i := 1; i+1 < len(shown); i++ {
		if strings.IndexByte("-/:", shown[i]) >= 0 && isDigit(shown[i-1]) && isDigit(shown[i+1]) {
			return true
		}
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// xlsxError files the library's errors under this package's two.
func xlsxError(err error) error {
	switch {
	case errors.Is(err, ErrTooLarge):
		return err
	case strings.HasPrefix(err.Error(), "unzip size exceeds"): // it has no sentinel
		return fmt.Errorf("%w: %v", ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %v", ErrFormat, err)
}
