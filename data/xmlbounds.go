package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Bounds of the XML of a workbook, far above what spreadsheet programs write.
const (
	xmlDepth = 64      // elements inside one another
	xmlTag   = 8 << 10 // bytes of a tag with its attributes
	xmlRow   = 8 << 20 // bytes of a row of a sheet
	// xmlShared bounds what the shared strings of one row may come to: each cell
	// may name the longest.
	xmlShared = 64 << 20
	xmlCells  = 16_384  // cells of a row; a spreadsheet has no more columns
	xmlTexts  = 1 << 20 // shared strings
)

// xmlBounds reads the parts of a workbook ahead of the library, which takes time
// and memory by what they hold, and refuses those that no spreadsheet program
// would write. It is linear in the bytes, and holds one tag at a time.
type xmlBounds struct {
	maxRows, maxText int

	state        byte   // what the next byte belongs to: text, a tag, a comment, or a quote in a tag
	tag          []byte // as far as it was read
	depth        int
	text         int  // bytes since the last tag
	rows         int  // of this part
	row          int  // bytes since the row began
	cells        int  // of this row
	shared       int  // of them that name a shared string
	inRow, inRun bool // in a row; in a shared string
	run          int  // bytes of this shared string

	texts      int // shared strings
	mostShared int // of any row
	longest    int // shared string
}

// The states, besides a quote's own character.
const (
	inText    = 't'
	inTag     = '<'
	inComment = '!'
)

func newXMLBounds(o Options) *xmlBounds {
	// Escapes take up to six bytes a character. Rows may be blank.
	return &xmlBounds{maxRows: min(1<<20, 2*o.MaxRows+1000), maxText: 6 * o.MaxCell}
}

// part reads one part.
func (x *xmlBounds) part(r io.Reader) error {
	x.state, x.tag, x.depth, x.text, x.rows, x.inRow, x.inRun = inText, x.tag[:0], 0, 0, 0, false, false
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		for b := buf[:n]; len(b) > 0; {
			used, err := x.take(b)
			if err != nil {
				return err
			}
			b = b[used:]
		}
		if errors.Is(err, io.EOF) {
			return x.together()
		}
		if err != nil {
			return fmt.Errorf("%w: broken zip archive: %v", ErrFormat, err)
		}
	}
}

// together holds what rows and shared strings come to.
func (x *xmlBounds) together() error {
	if x.mostShared*x.longest > xmlShared {
		return fmt.Errorf("%w: a row of the workbook has %d cells of text, and a text has %d bytes", ErrTooLarge, x.mostShared, x.longest)
	}
	return nil
}

// take reads some of b, at least a byte, and says how much.
func (x *xmlBounds) take(b []byte) (int, error) {
	var end int
	switch x.state {
	case inText:
		end = bytes.IndexByte(b, '<')
	case inTag:
		end = bytes.IndexAny(b, `>"'`)
	case inComment:
		end = bytes.IndexByte(b, '>')
	default:
		end = bytes.IndexByte(b, x.state)
	}
	n := end + 1
	if end < 0 {
		n = len(b)
	}
	if x.inRow {
		if x.row += n; x.row > xmlRow {
			return n, fmt.Errorf("%w: a row of the workbook has more than %d bytes", ErrTooLarge, xmlRow)
		}
	}
	if x.state == inText {
		return n, x.addText(n, end >= 0)
	}
	return n, x.addTag(b[:n], end >= 0)
}

// addText counts text; tag says that one begins after it.
func (x *xmlBounds) addText(n int, tag bool) error {
	x.text += n
	if x.inRun {
		x.run += n
		x.longest = max(x.longest, x.run)
	}
	if x.text > x.maxText {
		return fmt.Errorf("%w: the workbook has a text of more than %d bytes", ErrTooLarge, x.maxText)
	}
	if tag {
		x.state, x.text, x.tag = inTag, 0, x.tag[:0]
	}
	return nil
}

// addTag adds to a tag; end says that its state ends.
func (x *xmlBounds) addTag(b []byte, end bool) error {
	if x.state == inComment {
		x.tag = append(x.tag, b[max(0, len(b)-3):]...)
		x.tag = x.tag[max(0, len(x.tag)-3):]
		if end && string(x.tag) == "-->" {
			x.state = inText
		}
		return nil
	}
	x.tag = append(x.tag, b...)
	switch {
	case bytes.HasPrefix(x.tag, []byte("!--")):
		x.state = inComment
		if bytes.HasSuffix(x.tag, []byte("-->")) {
			x.state = inText
		}
		return nil
	case len(x.tag) > xmlTag:
		return fmt.Errorf("%w: the workbook has an element with more than %d bytes of attributes", ErrTooLarge, xmlTag)
	case !end:
		return nil
	}
	switch last := x.tag[len(x.tag)-1]; {
	case x.state != inTag: // a quote ends
		x.state = inTag
		return nil
	case last != '>': // a quote begins
		x.state = last
		return nil
	}
	x.state = inText
	return x.element(x.tag[:len(x.tag)-1])
}

// element counts what a whole tag begins or ends.
func (x *xmlBounds) element(tag []byte) error {
	if len(tag) == 0 {
		return nil
	}
	if tag[0] == '?' {
		if said := bytes.ToLower(tag); bytes.Contains(said, []byte("encoding")) && !bytes.Contains(said, []byte("utf-8")) {
			return fmt.Errorf("%w: the workbook's XML is not UTF-8", ErrFormat)
		}
		return nil
	}
	if tag[0] == '!' {
		return fmt.Errorf("%w: the workbook declares XML entities or the like", ErrFormat)
	}
	closes, empty := tag[0] == '/', tag[len(tag)-1] == '/'
	name := bytes.Trim(tag, "/")
	if i := bytes.IndexAny(name, " \t\r\n"); i >= 0 {
		name = name[:i]
	}
	name = name[bytes.IndexByte(name, ':')+1:]
	switch {
	case closes:
		x.depth--
	case !empty:
		if x.depth++; x.depth > xmlDepth {
			return fmt.Errorf("%w: the workbook has elements more than %d deep", ErrTooLarge, xmlDepth)
		}
	}
	switch string(name) {
	case "row":
		x.inRow, x.row, x.cells, x.shared = !closes && !empty, 0, 0, 0
		if !closes {
			x.rows++
		}
		if x.rows > x.maxRows {
			return fmt.Errorf("%w: more than %d rows, blank ones included", ErrTooLarge, x.maxRows)
		}
	case "c":
		if !closes {
			x.cells++
		}
		if !closes && (bytes.Contains(tag, []byte(`"s"`)) || bytes.Contains(tag, []byte(`'s'`))) {
			x.shared++
			x.mostShared = max(x.mostShared, x.shared)
		}
		if x.cells > xmlCells {
			return fmt.Errorf("%w: a row has more than %d cells", ErrTooLarge, xmlCells)
		}
	case "si":
		x.inRun, x.run = !closes && !empty, 0
		if x.texts++; x.texts > 2*xmlTexts { // each begins and ends
			return fmt.Errorf("%w: the workbook has more than %d texts", ErrTooLarge, xmlTexts)
		}
	}
	return nil
}
