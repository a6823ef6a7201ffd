package hubserver

import "bytes"

// Limits on the parts of a Markdown file, each for a construct whose cost grows
// faster than its size. Files that people write are far below them.
const (
	maxCells   = 20_000     // of tables, those that are filled up included
	maxTangle  = 32_000_000 // characters with a meaning times the length of their paragraph, in bytes
	maxMarkers = 32         // quotes and list items that a line begins, one in the other
	maxIndent  = 256        // columns before the text of a line
)

// affordable reports whether rendering a file costs little more than its size.
//
// Inline constructs end with their paragraph, so their cost is at most the number
// of characters that may begin or end one, times the length of the paragraph. A
// table has as many cells in each row as its head has. Nested blocks are looked
// at again for each of their lines. All three are counted from above, without
// parsing: a run of lines with something on them holds whole paragraphs.
func affordable(source []byte) bool {
	cells, tangle := 0, 0
	for len(source) > 0 {
		lines, length, rest := paragraph(source)
		source = rest
		meant := 0
		for i, line := range lines {
			if columns := delimiterColumns(line); columns > 0 {
				cells += columns * (len(lines) - i)
			}
			if !shallow(line) {
				return false
			}
			for _, b := range line {
				if inline[b] {
					meant++
				}
			}
		}
		if tangle += meant * length; tangle > maxTangle || cells > maxCells {
			return false
		}
	}
	return true
}

// paragraph cuts off the lines up to the next blank one, and the blank one.
func paragraph(source []byte) (lines [][]byte, length int, rest []byte) {
	for len(source) > 0 {
		line, after, _ := bytes.Cut(source, []byte("\n"))
		source = after
		if len(bytes.Trim(line, " \t\r")) == 0 {
			break
		}
		lines = append(lines, line)
		length += len(line) + 1
	}
	return lines, length, source
}

// inline holds the characters that may begin or end an inline construct.
var inline = func() (set [256]bool) {
	for _, b := range []byte("\\`*_~[]()!<>&:@") {
		set[b] = true
	}
	return set
}()

// delimiterColumns is how many columns a line gives to a table, if it may be the
// one below a table's head; quotes and list items may stand before it.
func delimiterColumns(line []byte) int {
	hyphen := false
	columns := 1
	for _, b := range line {
		switch {
		case b == '|':
			columns++
		case b == '-':
			hyphen = true
		case b == ':', b == '>', b == ' ', b == '\t', b == '\r', b == '*', b == '+', b == '.', b == ')', '0' <= b && b <= '9':
		default:
			return 0
		}
	}
	if !hyphen {
		return 0
	}
	return columns
}

// shallow reports whether a line is neither indented far nor begins many blocks.
func shallow(line []byte) bool {
	if rule := bytes.Trim(line, " \t\r"); len(bytes.Trim(rule, "- ")) == 0 || len(bytes.Trim(rule, "* ")) == 0 {
		return len(line) <= maxIndent
	}
	markers, columns := 0, 0
	for _, b := range line {
		switch {
		case b == ' ':
			columns++
		case b == '\t':
			columns += 4
		case b == '>', b == '-', b == '*', b == '+', b == '.', b == ')':
			markers++
			columns = 0
		case '0' <= b && b <= '9':
		default:
			return markers <= maxMarkers && columns <= maxIndent
		}
		if columns > maxIndent {
			return false
		}
	}
	return markers <= maxMarkers
}
