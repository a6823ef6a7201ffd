package data

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// foreign refuses, as what they are, files that are no table, by their first
// bytes.
func foreign(head []byte) error {
	refuse := func(what string) error { return fmt.Errorf("%w: %s", ErrFormat, what) }
	start := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	lower := bytes.ToLower(start[:min(len(start), 64)])
	for _, f := range []struct{ magic, what string }{
		{"\xd0\xcf\x11\xe0", "an .xls or password-protected workbook; save it as .xlsx or CSV"},
		{"\xff\xfe", "UTF-16 text; save it as CSV UTF-8"},
		{"\xfe\xff", "UTF-16 text; save it as CSV UTF-8"},
		{"%PDF-", "a PDF document; export the table as CSV"},
		{"PAR1", "a Parquet file; export the table as CSV"},
		{"\x89HDF", "an HDF5 file; export the table as CSV"},
		{"\x89PNG", "a picture; export the table as CSV"},
		{"\xff\xd8\xff", "a picture; export the table as CSV"},
		{"BZh", "bzip2; unpack it, or pack it with gzip"},
		{"\xfd7zXZ", "xz; unpack it, or pack it with gzip"},
		{"\x28\xb5\x2f\xfd", "zstd; unpack it, or pack it with gzip"},
		{"7z\xbc\xaf", "a 7z archive; unpack it"},
		{"Rar!", "a RAR archive; unpack it"},
		{"{\\rtf", "an RTF document; export the table as CSV"},
	} {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return refuse(f.what)
		}
	}
	switch {
	case bytes.HasPrefix(lower, []byte("version https://git-lfs")):
		return refuse("a pointer of Git LFS, not the file it stands for: run git lfs pull, or download the file itself")
	case bytes.HasPrefix(lower, []byte("<!doctype")), bytes.HasPrefix(lower, []byte("<html")):
		return refuse("an HTML page, perhaps the one around a download; download the file itself")
	case bytes.HasPrefix(lower, []byte("<?xml")):
		return refuse("an XML document; export the table as CSV")
	case len(start) > 1 && (start[0] == '{' || start[0] == '[' && strings.IndexByte("{[\"\n\r", start[1]) >= 0):
		return refuse("JSON; export the table as CSV")
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return refuse("a tar archive; unpack it")
	}
	if name := encoding(head); name != "" {
		return refuse(name + " text; save it as CSV UTF-8")
	}
	return nil
}

// encoding names what text that is no UTF-8 is in, "" for UTF-8 and for Latin-1,
// in which a high byte stands alone between ASCII. The double bytes of East Asia
// come in pairs.
func encoding(head []byte) string {
	if utf8.Valid(uncut(head)) || bytes.IndexByte(head, 0) >= 0 {
		return ""
	}
	japanese, pairs, odd := 0, 0, 0
	for i := 0; i < len(head); i++ {
		lead := head[i]
		switch {
		case lead < 0x80:
			continue
		case i+1 == len(head): // cut
		case lead >= 0x81 && lead <= 0x9f && head[i+1] >= 0x40 && head[i+1] != 0x7f && head[i+1] <= 0xfc:
			japanese++
			i++
		case lead >= 0xa1 && head[i+1] >= 0xa1:
			pairs++
			i++
		default:
			odd++
		}
	}
	switch {
	case japanese > 0 && odd <= japanese/4:
		return "Shift-JIS"
	case pairs > 1 && odd == 0:
		return "GB18030, Big5 or EUC"
	}
	return ""
}

// uncut is head without a last character that the end of head cuts in two.
func uncut(head []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(head); n++ {
		if last := head[len(head)-n:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return head[:len(head)-n]
			}
			break
		}
	}
	return head
}
