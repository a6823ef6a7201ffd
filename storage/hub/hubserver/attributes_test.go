package hubserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAttributes holds what git itself says of the same lines.
func TestAttributes(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	text := attributes + `
# comment.txt filter=lfs
data/** filter=lfs
data/raw/*.csv -filter
/top.dat	filter=lfs
a/**/z.dat filter=lfs
**/deep.x filter=lfs
"with space.dat" filter=lfs
with[[:space:]]class.dat filter=lfs
*.txt text
*.other filter=other
plots/*.png !filter
folder/ filter=lfs
/ filter=lfs
` + lfsLine("α [1] #x!.odd") + lfsLine("#hash") + lfsLine("!bang") + lfsLine(`q"?*\\ x:<>|`) + lfsLine(`n"?*\\:<>|`) + "*.tar.gz filter=lfs\n*.gz -filter\nplain filter=lfs\nin/plain -filter\n"
	if err := os.WriteFile(filepath.Join(dir, attributesFile), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(git, "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rules := parseAttributes(text)
	seen := map[bool]int{}
	for _, name := range []string{
		"a.bin", "x/y/a.safetensors", "a.json", "comment.txt", "data/a", "data/x/y", "data/raw/a.csv", "data/raw/b.txt", "data",
		"top.dat", "x/top.dat", "a/z.dat", "a/b/z.dat", "a/b/c/z.dat", "a/b/c/y.dat", "b/a/z.dat", "deep.x", "q/deep.x", "q/r/deep.x",
		"with space.dat", "with class.dat", "with_space.dat", "a.other", "plots/a.png", "plots/x/a.png", "folder/x", "folder",
		"α [1] #x!.odd", "x/α [1] #x!.odd", "#hash", "!bang", "a.bin/b", `q"?*\\ x:<>|`, `n"?*\\:<>|`, `q"yz\\ x:<>|`, "a.tar.gz", "a.gz", "plain", "in/plain", "b/in/plain",
	} {
		cmd := exec.Command(git, "-C", dir, "check-attr", "-z", "filter", name)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(string(out), "\x00")[2] == "lfs"
		if got := rules.lfs(name); got != want {
			t.Errorf("%q: %t, git says %t", name, got, want)
		}
		seen[want]++
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("git says the same of every name: %v", seen)
	}
}

func FuzzAttributes(f *testing.F) {
	f.Add(attributes, "a/b.bin")
	f.Add("a/**/b/** filter=lfs\n\"x\" filter=lfs\n", "a/x/b/c")
	f.Add("/ filter=lfs\nx/ -filter\n[ filter=lfs", "x/y")
	f.Fuzz(func(t *testing.T, text, name string) {
		parseAttributes(text).lfs(name)
	})
}
