package data

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Unpacked XML of a sheet is several times the text in it; xlsxInflation bounds
// how far a small archive may grow, and parts over xlsxInMemory go to a
// temporary file.
const (
	xlsxInflation = 10
	xlsxInMemory  = 16 << 20 // bytes
)

// readXLSX streams the rows of the first sheet, raw values rather than what
// their formats show.
func (s *Sheet) readXLSX(r io.Reader, o Options) (err error) {
	// A workbook is a stranger's archive of XML; whatever it does to the
	// library is that file's fault and must not end the process.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: broken workbook: %v", ErrFormat, p)
		}
	}()
	f, err := excelize.OpenReader(r, excelize.Options{
		RawCellValue:      true,
		UnzipSizeLimit:    xlsxInflation * o.MaxBytes,
		UnzipXMLSizeLimit: min(xlsxInMemory, xlsxInflation*o.MaxBytes),
	})
	if err != nil {
		return xlsxError(err)
	}
	defer f.Close()
	rows, err := f.Rows(f.GetSheetName(0))
	if err != nil {
		return xlsxError(err)
	}
	defer rows.Close()
	text := int64(0)
	for row := 1; rows.Next(); row++ {
		cells, err := rows.Columns()
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
		if err := s.append(Line{Row: row, Cells: cells}, o); err != nil {
			return err
		}
	}
	if err := rows.Error(); err != nil {
		return xlsxError(err)
	}
	return nil
}

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
