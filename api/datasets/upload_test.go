package datasets

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/storage/file"
)

// cutOff is a body whose connection breaks.
type cutOff struct{ io.Reader }

var errCut = errors.New("the connection broke")

func (c cutOff) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errCut
	}
	return n, err
}

// An upload that is cut off goes on where it was, and becomes one dataset; one beyond
// what is trained on becomes a library with the same rows.
func TestUpload(t *testing.T) {
	const table = "name,smiles_repeat_unit\na,*CC*\nb,*CC(*)C\nc,*CCO*\n"
	for name, limits := range map[string]Limits{"a table": {}, "a library": {Rows: 2}} {
		b, err := file.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		l := New(b, limits, nil)
		u, err := l.BeginUpload(t.Context(), "mine", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(t.Context(), u.ID, 0, cutOff{strings.NewReader(table[:20])}); !errors.Is(err, errCut) {
			t.Fatalf("a body that was cut off: %v", err)
		}
		now, err := l.Upload(t.Context(), u.ID)
		if err != nil || now.Offset != 20 {
			t.Fatalf("after 20 bytes: %+v, %v", now, err)
		}
		if _, err := l.Append(t.Context(), u.ID, 5, strings.NewReader("x")); jobs.ErrorCode(err) != jobs.Conflict {
			t.Errorf("another offset: %v", err)
		}
		if _, err := l.Append(t.Context(), u.ID, 20, strings.NewReader(table[20:])); err != nil {
			t.Fatal(err)
		}
		d, err := l.CompleteUpload(t.Context(), u.ID)
		if err != nil || d.Rows != 3 || d.Name != "mine" || d.Library != (name == "a library") {
			t.Fatalf("%s: %+v, %v", name, d, err)
		}
		rows, err := l.Rows(t.Context(), d.ID)
		if err != nil || rows.Index.Rows != 3 {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := l.Upload(t.Context(), u.ID); jobs.ErrorCode(err) != jobs.NotFound {
			t.Errorf("complete, the upload is still there: %v", err)
		}
		if err := l.Delete(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
		for e := range b.List(t.Context(), "") {
			t.Errorf("%s: deleted, it left %s", name, e.Key)
		}
	}
}

// An upload that nobody completes is removed some time after its last part.
func TestUploadExpires(t *testing.T) {
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l := New(b, Limits{}, nil)
	u, err := l.BeginUpload(t.Context(), "mine", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), u.ID, 0, strings.NewReader("name,")); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Expire(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("an hour before, %d expire: %v", n, err)
	}
	if n, err := l.Expire(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("%d expire: %v", n, err)
	}
	for e := range b.List(t.Context(), "") {
		t.Errorf("it left %s", e.Key)
	}
}
