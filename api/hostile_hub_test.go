package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"archive/zip"
	"io"
)

// commitOf is the body of a commit of files, by path and content.
func commitOf(files ...string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"key":"header","value":{"summary":"x"}}` + "\n")
	for i := 0; i+1 < len(files); i += 2 {
		path, err := json.Marshal(files[i])
		if err != nil {
			panic(err) // a string is always JSON
		}
		fmt.Fprintf(&b, `{"key":"file","value":{"path":%s,"encoding":"base64","content":"%s"}}`+"\n", path, base64.StdEncoding.EncodeToString([]byte(files[i+1])))
	}
	return b.Bytes()
}

// commits is an attack by a commit to a repository.
func commits(name, repo string, body func() []byte) attack {
	return attack{name: name, method: http.MethodPost, path: "/hub/api/models/" + repo + "/commit/main", header: []string{"Content-Type", "application/x-ndjson"}, body: body}
}

// manyPaths is a commit of n files whose paths follow a format.
func manyPaths(n int, format string) func() []byte {
	return func() []byte {
		var files []string
		for i := range n {
			files = append(files, fmt.Sprintf(format, i), "x")
		}
		return commitOf(files...)
	}
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i, i)
	}
	return b.String()
}

// yamlBombs are front matters by name.
func yamlBombs(size int) map[string]string {
	bomb := func(format string) string {
		b := "a0: &a0 {x: 1}\n"
		for i := 1; i <= 12; i++ {
			b += fmt.Sprintf(format, i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
		}
		return b
	}
	out := map[string]string{
		"merges of aliases": bomb("a%d: &a%d\n  <<: [%s]\n"), "lists of aliases": bomb("a%d: &a%d [%s]\n"),
		"an alias of itself": "a: &a [*a, *a]\n", "many anchors": numbered(size/16, "k%d: &a%d x\n"), "many keys": numbered(size/10, "k%d: %d\n"),
		"a long scalar": "a: " + strings.Repeat("x", size), "binary": "a: !!binary " + strings.Repeat("A", size),
	}
	for _, unit := range []string{"[", "{", "{a: ", "- ", "? ", "&a ", "!a ", "'", "\"\\x", "<<: ", "|\n", "---\n", "a: b: "} {
		out[fmt.Sprintf("%d KB of %q", size>>10, unit)] = "a: " + strings.Repeat(unit, size/len(unit))
	}
	return out
}

// cards are markdown by name.
func cards(size int) map[string]string {
	table := func(n int) string {
		return strings.Repeat("a|", n) + "\n" + strings.Repeat("-|", n) + "\n" + strings.Repeat("|\n", size/2)
	}
	out := map[string]string{
		"a padded table": table(size / 8), "headings": strings.Repeat("# same\n", size/7), "numbered headings": numbered(size/12, "# a-%d\n# a %d\n"),
		"nested links": strings.Repeat("[", size/4) + "a" + strings.Repeat("](b)", size/4), "one long line": strings.Repeat("a", size),
		"a long address named often": "[a]: /" + strings.Repeat("x", size/6) + "\n\n" + strings.Repeat("[a] ", size/4),
	}
	for _, unit := range []string{"*a **a ", "**", "_a", "[a](", "![", "](", "<a ", "<!--", "`", "~~a", "\\", "www.", ">", "- ", "1. ", "|", "<div>", "&", "[a]: b\n", "```\n"} {
		out[fmt.Sprintf("%d KB of %q", size>>10, unit)] = strings.Repeat(unit, size/len(unit))
	}
	return out
}

// yamlAndMarkdown shows every bomb as a card, and has it validated.
func yamlAndMarkdown(size int) (out []attack) {
	for name, yaml := range yamlBombs(size) {
		out = append(out, post("yaml: "+name, "/hub/api/validate-yaml", func() []byte {
			b, err := json.Marshal(map[string]string{"content": "---\n" + yaml + "\n---\n# x\n", "repoType": "model"})
			if err != nil {
				panic(err)
			}
			return b
		}))
	}
	n := 0
	card := func(name, content string) {
		path := fmt.Sprintf("cards/%d.md", n)
		n++
		out = append(out, commits("commit "+name, "acme/tg", func() []byte { return commitOf(path, content, "README.md", content) }))
		for _, show := range []string{"/hub/acme/tg/blob/main/" + path, "/hub/api/models/acme/tg"} {
			out = append(out, attack{name: "show " + name, method: http.MethodGet, path: show})
		}
	}
	for name, yaml := range yamlBombs(size) {
		card("front matter: "+name, "---\n"+yaml+"\n---\n# x\n")
	}
	for name, text := range cards(size) {
		card("markdown: "+name, text)
	}
	return out
}

// oddPaths are what no repository may hold.
var oddPaths = []string{
	"git~1/x", ".git/config", ".GIT/config", ".git /x", ".g\u200cit/x", "a/../../x", "..", "/etc/passwd", "a//b", "a/./b", "a\x00b", "a\nb", "con", "aux.txt",
	"nul/x", "a\\..\\b", "C:x", ".git::$INDEX_ALLOCATION/x", "\ufeff.git/x", "a\u202eb", strings.Repeat("d/", 3000) + "x", strings.Repeat("a", 5000), ".gitmodules/x", "\xff\xfe", "a ", "a.", "%2e%2e/x",
}

// hubAttacks are of the embedded Hub: cards, commits, paths, git.
func hubAttacks() []attack {
	out := yamlAndMarkdown(16 << 10)
	for _, path := range oddPaths {
		out = append(out, commits(fmt.Sprintf("a path %.20q", path), "acme/tg", func() []byte { return commitOf(path, "x") }))
		escaped := url.PathEscape(path[:min(len(path), 4000)])
		for _, at := range []string{"/hub/acme/tg/resolve/main/", "/hub/acme/tg/tree/main/", "/hub/acme/tg/raw/main/", "/hub/api/models/acme/tg/tree/main/"} {
			out = append(out, attack{name: fmt.Sprintf("ask for a path %.20q", path), method: http.MethodGet, path: at + escaped})
		}
	}
	out = append(out,
		commits("1,000 paths of 500 folders", "acme/tg", manyPaths(1000, strings.Repeat("d/", 500)+"%d")),
		commits("2,000 paths", "acme/tg", manyPaths(2000, "many/%d")),
		commits("a commit without a header", "acme/tg", text(`{"key":"file","value":{"path":"x","content":"eA==","encoding":"base64"}}`)),
		commits("half a line", "acme/tg", text(`{"key":"header","value":{"summary":"x"`)),
		commits("a line of nested lists", "acme/tg", repeated(`{"key":"header","value":`, "[", 200<<10, "")),
		commits("many deletions", "acme/tg", repeated(`{"key":"header","value":{"summary":"x"}}`+"\n", `{"key":"deletedFolder","value":{"path":"none"}}`+"\n", 200<<10, "")),
		commits("rules with wildcards", "acme/tg", func() []byte { return commitOf(".gitattributes", numbered(2000, "*a*%d*b*%d filter=lfs\n")) }),
		commits("a pointer to nothing", "acme/tg", func() []byte {
			return commitOf("p.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:"+strings.Repeat("0", 64)+"\nsize 9223372036854775807\n")
		}),
		commits("an LFS object that is not there", "acme/tg", text(`{"key":"header","value":{"summary":"x"}}`+"\n"+`{"key":"lfsFile","value":{"path":"x","algo":"sha256","oid":"../../../etc/passwd","size":1}}`)),
		post("LFS of huge sizes", "/hub/acme/tg.git/info/lfs/objects/batch", text(`{"operation":"upload","transfers":["basic","multipart"],"objects":[{"oid":"`+strings.Repeat("a", 64)+`","size":9223372036854775807},{"oid":"x","size":-1}]}`)),
		post("50,000 LFS objects", "/hub/acme/tg.git/info/lfs/objects/batch", repeated(`{"operation":"download","objects":[`, `{"oid":"`+strings.Repeat("a", 64)+`","size":1},`, 50_000*83, `{"oid":"x","size":1}]}`)),
		post("preupload of 10,000 files", "/hub/api/models/acme/tg/preupload/main", repeated(`{"files":[`, `{"path":"a","size":1},`, 220_000, `{"path":"b","size":1e300}]}`)),
		post("paths-info of 50,000 paths", "/hub/api/models/acme/tg/paths-info/main", repeated(`{"paths":[`, `"a/b/c",`, 400_000, `"x"]}`)),
		post("a repository named oddly", "/hub/api/repos/create", text(`{"name":"../../x","organization":".."}`)),
		post("a repository of a long name", "/hub/api/repos/create", repeated(`{"name":"`, "a", 500<<10, `"}`)),
		post("a branch named oddly", "/hub/api/models/acme/tg/branch/"+url.PathEscape("../../../x"), text(`{}`)),
		post("a tag with a long message", "/hub/api/models/acme/tg/tag/main", repeated(`{"tag":"t1","message":"`, "m", 900<<10, `"}`)),
		attack{name: "pages far away", method: http.MethodGet, path: "/hub/api/models/acme/tg/commits/main?p=9223372036854775807&limit=9223372036854775807"},
		attack{name: "a cursor far away", method: http.MethodGet, path: "/hub/api/models/acme/tg/tree/main?recursive=true&cursor=99999999999999999999"},
		attack{name: "a range of 10,000 parts", method: http.MethodGet, path: "/hub/acme/tg/resolve/main/README.md", header: []string{"Range", "bytes=" + strings.Repeat("0-1,", 10_000) + "0-1"}},
	)
	for name, body := range packets() {
		out = append(out, attack{name: "git: " + name, method: http.MethodPost, path: "/hub/acme/tg/git-upload-pack",
			header: []string{"Content-Type", "application/x-git-upload-pack-request"}, body: body})
	}
	return out
}

// packets are bodies for git-upload-pack by name.
func packets() map[string]func() []byte {
	line := func(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
	want := line("want " + strings.Repeat("a", 40) + "\n")
	return map[string]func() []byte{
		"empty": text(""), "no hex": text("zzzz"), "a length of 3": text("0003"), "half a line": text("00ffwant"), "the longest line": repeated("fff0", "w", 65516, ""),
		"flushes": repeated("", "0000", 400<<10, ""), "delimiters": repeated("", "0001", 400<<10, ""), "20,000 wants": repeated("", want, 20_000*len(want), "0000"),
		"20,000 haves": repeated(want+"0000", line("have "+strings.Repeat("b", 40)+"\n"), 20_000*50, line("done\n")),
		"version 2":    text(line("command=ls-refs\n") + "0001" + strings.Repeat(line("ref-prefix "+strings.Repeat("r", 1000)+"\n"), 200) + "0000"),
		"no command":   text(line("command="+strings.Repeat("x", 60000)+"\n") + "0000"), "a depth": text(line("want "+strings.Repeat("a", 40)+" shallow\n") + line("deepen 999999999999999999\n") + "0000"),
		"a filter": text(line("want "+strings.Repeat("a", 40)+" filter\n") + line("filter combine:"+strings.Repeat("combine:", 5000)+"\n") + "0000"),
	}
}

// largeHubAttacks are what takes longer to send.
func largeHubAttacks() []attack {
	return append(yamlAndMarkdown(500<<10),
		commits("25,000 paths", "acme/tg", manyPaths(24_000, "lots/%d")),
		commits("20,000 folders", "acme/tg", manyPaths(12_000, "deep/%d/x")),
		commits("100,000 paths", "acme/tg", manyPaths(100_000, "lots/%d")),
		commits("20,000 rules that name files", "acme/tg", func() []byte { return commitOf(".gitattributes", numbered(20_000, "/a%d/b%d filter=lfs\n")) }),
		commits("20,000 rules with wildcards", "acme/tg", func() []byte { return commitOf(".gitattributes", numbered(20_000, "*a*%d*b*%d filter=lfs\n")) }),
		commits("a file of 100 MB of zeros", "acme/tg", func() []byte { return commitOf("zeros.bin", strings.Repeat("\x00", 100<<20)) }),
		commits("a line that does not end", "acme/tg", repeated(`{"key":"header","value":{"summary":"`, "x", 64<<20, "")),
		commits("a path of 32 MB", "acme/tg", func() []byte { return commitOf(strings.Repeat("a", 32<<20), "x") }),
		attack{name: "the tree after", method: http.MethodGet, path: "/hub/api/models/acme/tg/tree/main?recursive=true&expand=true"},
		attack{name: "the page after", method: http.MethodGet, path: "/hub/acme/tg/tree/main"},
	)
}

// modelAttacks are of repositories that hold models: an ensemble that PolyID
// saved, with one file replaced by another each time.
func modelAttacks(t *testing.T, b *besieged) (out []attack) {
	t.Helper()
	z, err := zip.OpenReader("../nn/keras/testdata/ensemble.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	saved := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		saved[f.Name] = string(body)
	}
	var h5, pk string
	for name := range saved {
		switch {
		case strings.HasSuffix(name, ".h5"):
			h5 = name
		case strings.HasSuffix(name, "_data.pk"):
			pk = name
		}
	}
	if h5 == "" || pk == "" {
		t.Fatal("the ensemble has not the files that are to be replaced")
	}
	n := 0
	try := func(name string, replace map[string]func() string) {
		repo := fmt.Sprintf("acme/model%d", n)
		n++
		out = append(out, post("make "+repo, "/hub/api/repos/create", text(`{"name":"`+repo+`"}`)),
			commits("commit "+name, repo, func() []byte {
				files := []string{}
				for path, body := range saved {
					if _, ok := replace[path]; !ok {
						files = append(files, path, body)
					}
				}
				for path, body := range replace {
					files = append(files, path, body())
				}
				return commitOf(files...)
			}),
			post("import "+name, "/v1/models/import", text(`{"repo":"`+repo+`","publish":{"repo":"acme/imported"}}`)),
			attack{name: "predict with " + name, method: http.MethodPost, path: "/v1/predictions", header: []string{"Content-Type", "application/json", "Prefer", "wait=4"},
				body: text(`{"model":{"repo":"` + repo + `","revision":"main"},"inputs":[{"smiles_polymer":"CCO"}]}`)},
		)
	}
	of := func(s string) func() string { return func() string { return s } }
	fill := func(before, unit string, size int, after string) func() string {
		return func() string { return before + strings.Repeat(unit, size/len(unit)) + after }
	}
	for name, body := range map[string]func() string{
		"a pickle of DUPs": fill("\x80\x04N", "2", 60<<20, "."), "a pickle of marks": fill("\x80\x04", "(", 60<<20, "."), "a pickle of empty lists": fill("\x80\x04", "]", 60<<20, "."),
		"a pickle of a huge string": of("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f."), "a pickle of a huge long": of("\x80\x04\x8b\xff\xff\xff\x7f."),
		"a pickle that memoizes": fill("\x80\x04N", "\x94", 30<<20, "."), "a pickle of a huge index": of("\x80\x04Nr\xff\xff\xff\xff."), "a pickle of nested tuples": fill("\x80\x04)", "\x85", 30<<20, "."),
		"a pickle of tuples of DUPs": fill("\x80\x04)", "2\x86", 30<<20, "."), "a pickle of a call": of("cos\nsystem\n(S'true'\ntR."), "a cut pickle": of(saved[pk][:len(saved[pk])/2]), "an empty pickle": of(""),
	} {
		try(name, map[string]func() string{pk: body})
		try(name+" as parameters", map[string]func() string{"parameters.pk": body})
	}
	huge := func(at int, value uint64) func() string {
		return func() string {
			b := []byte(saved[h5])
			if at+8 <= len(b) {
				binary.LittleEndian.PutUint64(b[at:], value)
			}
			return string(b)
		}
	}
	for _, at := range []int{0, 8, 24, 32, 40, 48, 56, 64, 96, 128, 200, 400, 800, 1600} {
		try(fmt.Sprintf("HDF5 with %d at %d", uint64(math.MaxInt64), at), map[string]func() string{h5: huge(at, math.MaxInt64)})
	}
	try("HDF5 of zeros", map[string]func() string{h5: fill("\x89HDF\r\n\x1a\n", "\x00", 60<<20, "")})
	try("a cut HDF5", map[string]func() string{h5: of(saved[h5][:len(saved[h5])/2])})

	tensors := func(header string) func() string {
		return func() string {
			return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header
		}
	}
	config := of(`{"targets":[{"name":"Tg"}],"folds":1}`)
	for name, body := range map[string]func() string{
		"a header of 2^63 bytes": of("\xff\xff\xff\xff\xff\xff\xff\x7f{}"), "a header of nested lists": tensors(strings.Repeat("[", 20<<20)),
		"a huge shape": tensors(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`),
		"many tensors": func() string {
			return tensors(`{` + numbered(200_000, `"t%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},`) + `"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`)()
		},
		"many dimensions": func() string {
			return tensors(`{"a":{"dtype":"F32","shape":[` + strings.Repeat("1,", 1<<20) + `1],"data_offsets":[0,4]}}`)()
		},
		"offsets that overlap": tensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}0000`),
	} {
		try("safetensors of "+name, map[string]func() string{"config.json": config, "model_fold_0/model.safetensors": body})
	}
	for name, body := range map[string]func() string{
		"nested lists": fill("", "[", 8<<20, ""), "a million targets": fill(`{"targets":[`, `{"name":"a"},`, 13<<20, `{}]}`), "huge numbers": of(`{"targets":[{"name":"Tg"}],"model":{"atom_features":1000000000,"num_messages":1000000000}}`),
		"nothing": of(""), "null": of("null"), "a million folds": of(`{"targets":[{"name":"Tg"}],"folds":1000000000}`),
	} {
		try("config.json of "+name, map[string]func() string{"config.json": body})
	}
	return out
}
