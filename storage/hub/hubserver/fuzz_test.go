package hubserver

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzFrontMatter holds that front matter of any kind is read or refused, and that
// what is cut off and what is left are the card.
func FuzzFrontMatter(f *testing.F) {
	for _, text := range hostileYAML() {
		if len(text) < 4<<10 {
			f.Add("---\n" + text + "\n---\n# x\n")
		}
	}
	f.Add("---\r\na: &a [b]\r\nc: *a\r\n---\r\n")
	f.Fuzz(func(t *testing.T, card string) {
		meta, body := cutFrontMatter([]byte(card))
		if len(meta)+len(body) > len(card) || !strings.HasSuffix(card, string(body)) {
			t.Errorf("%q and %q are cut of %q", meta, body, card)
		}
		m, err := parseMetadata(meta)
		if err != nil || m.root == nil {
			return
		}
		m.plain()
		facts(meta)
	})
}

// FuzzMarkdown holds that what is rendered names nothing but what it may, and runs
// nothing.
func FuzzMarkdown(f *testing.F) {
	for _, text := range hostileMarkdown() {
		if len(text) < 9<<10 {
			f.Add(text)
		}
	}
	f.Add(testCard)
	m := newMarkdown()
	f.Fuzz(func(t *testing.T, source string) {
		out, err := m.renderBounded([]byte(source), "/hub/a/b/blob/main", "/hub/a/b/resolve/main")
		if err != nil {
			out = plainText([]byte(source))
		}
		low := strings.ToLower(string(out))
		for _, bad := range []string{"<script", "<style", "<iframe", "<form", "<input", "<base", "<meta", "<object", `href="javascript:`, `src="javascript:`} {
			if strings.Contains(low, bad) {
				t.Errorf("%q is rendered with %s", source, bad)
			}
		}
		for rest := low; ; {
			_, after, ok := strings.Cut(rest, ` id="`)
			if !ok {
				break
			}
			// In the text of clean HTML a quotation mark is escaped.
			if !strings.HasPrefix(after, idPrefix) {
				t.Errorf("%q names %.20q", source, after)
			}
			rest = after
		}
		if !utf8.ValidString(string(out)) && utf8.ValidString(source) {
			t.Errorf("%q is rendered as no text", source)
		}
	})
}
