package tokens

import (
	"bytes"
	"context"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

func TestParse(t *testing.T) {
	t.Parallel()
	have, err := Parse(" root:s3cret-root , alice:colons:in:it:member,bob:12345678:reader,eve:12345678:writer,dan:12345678:admin,")
	want := []Stated{
		{"root", "s3cret-root", access.Admin}, {"alice", "colons:in:it", access.Member}, {"bob", "12345678", access.Reader},
		{"eve", "12345678:writer", access.Admin}, {"dan", "12345678", access.Admin},
	}
	if err != nil || !reflect.DeepEqual(have, want) {
		t.Errorf("%v, %v", have, err)
	}
	if none, err := Parse(""); err != nil || none != nil {
		t.Errorf("%v, %v", none, err)
	}
	for setting, want := range map[string]string{
		"alice": "entry 1", ":12345678": "entry 1", "alice:": "entry 1", "ok:12345678,alice:short": "fewer than 8",
		"alice:1234567:member": "fewer than 8", "alice:1234 5678": "no HTTP header", "a:12345678,a:87654321": "twice", "*:12345678": "every token",
	} {
		if _, err := Parse(setting); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
}

func newKeyring(t *testing.T, b storage.Bucket) *Keyring {
	t.Helper()
	return New(b, []Stated{{"root", "s3cret-root", access.Admin}, {"ann", "s3cret-ann", ""}}, nil, nil)
}

func bucket(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A token is issued and revoked at one replica, and the other sees it after its next
// refresh: requests, sessions and whatever is open end.
func TestReplicas(t *testing.T) {
	t.Parallel()
	b := bucket(t)
	one, two := newKeyring(t, b), newKeyring(t, b)
	token, secret, err := one.Issue(t.Context(), Request{Name: "bob", By: "root"})
	if err != nil || token.Role != access.Member {
		t.Fatal(token, err)
	}
	if h, ok := one.Find(secret); !ok || h.Identity != (access.Identity{Name: "bob", Role: access.Member}) {
		t.Fatalf("the token is not good where it was issued: %v", h)
	}
	if _, ok := two.Find(secret); ok {
		t.Fatal("the other replica has not read anything yet")
	}
	if err := two.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, ok := two.Find(secret)
	cookie, made := one.NewSession(secret, time.Now().Add(time.Hour))
	if s, ok2 := two.Session(cookie); !ok || !made || !ok2 || s.Name != "bob" {
		t.Fatal("the other replica knows neither the token nor its session")
	}
	if _, err := one.Revoke(t.Context(), token.ID); err != nil {
		t.Fatal(err)
	}
	if _, ok := one.Find(secret); ok {
		t.Error("a revoked token is good")
	}
	if _, ok := one.Session(cookie); ok {
		t.Error("a revoked token's session is good")
	}
	if h.Good.Err() != nil {
		t.Error("the other replica knows before it could")
	}
	if err := two.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := two.Find(secret); ok || h.Good.Err() == nil {
		t.Error("a revoked token is good at the other replica, or what its holder has open goes on")
	}
	if _, ok := two.Session(cookie); ok {
		t.Error("a revoked token's session is good at the other replica")
	}
	// A new token under the name does not bring the old session back.
	if _, _, err := one.Issue(t.Context(), Request{Name: "bob"}); err != nil {
		t.Fatal(err)
	}
	if _, ok := one.Session(cookie); ok {
		t.Error("the session of a revoked token is good again")
	}
}

// What is stored lets nobody in: neither the secret is there nor what signs sessions.
func TestStored(t *testing.T) {
	t.Parallel()
	b := bucket(t)
	k := newKeyring(t, b)
	_, secret, err := k.Issue(t.Context(), Request{Name: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := b.Get(t.Context(), keys.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	body, err := io.ReadAll(o)
	if err != nil || bytes.Contains(body, []byte(secret)) || bytes.Contains(body, []byte(strings.TrimPrefix(secret, secretPrefix))) {
		t.Errorf("%s, %v", body, err)
	}
	if bytes.Contains(body, []byte("s3cret")) {
		t.Error("a token of the configuration is stored")
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	k := newKeyring(t, bucket(t))
	if _, ok := k.NewSession("wrong", time.Now().Add(time.Hour)); ok {
		t.Error("a session for a secret that nobody has")
	}
	cookie, _ := k.NewSession("s3cret-root", time.Now().Add(time.Hour))
	if h, ok := k.Session(cookie); !ok || h.Name != "root" || h.Role != access.Admin {
		t.Errorf("%v, %v", h, ok)
	}
	late, _ := k.NewSession("s3cret-root", time.Now().Add(-time.Second))
	name, rest, _ := strings.Cut(cookie, ".")
	for what, bad := range map[string]string{
		"expired": late, "empty": "", "without signature": name + "." + strings.Split(rest, ".")[0] + ".", "another's": "YW5u." + rest,
		"later": name + ".9" + rest, "cut": cookie[:len(cookie)-4],
	} {
		if h, ok := k.Session(bad); ok {
			t.Errorf("%s: a session of %v", what, h)
		}
	}
}

func TestIssueProblems(t *testing.T) {
	t.Parallel()
	k := newKeyring(t, bucket(t))
	for _, c := range []struct {
		Request
		code jobs.Code
		want string
	}{
		{Request{Name: "*"}, jobs.Invalid, "/name"}, {Request{}, jobs.Invalid, "/name"}, {Request{Name: "a:b"}, jobs.Invalid, "/name"},
		{Request{Name: "bob", Role: "owner"}, jobs.Invalid, "/role"}, {Request{Name: "bob", Expires: time.Unix(1, 0)}, jobs.Invalid, "/expires_at"},
		{Request{Name: "root"}, jobs.Conflict, "already"},
	} {
		if _, _, err := k.Issue(t.Context(), c.Request); jobs.ErrorCode(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.Request, err)
		}
	}
	if _, err := k.Revoke(t.Context(), "bob"); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("revoked what is not there: %v", err)
	}
	if _, err := k.Revoke(t.Context(), "root"); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("revoked a token of the configuration: %v", err)
	}
	if _, _, err := New(bucket(t), nil, nil, nil).Issue(t.Context(), Request{Name: "bob"}); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("a token where none is needed: %v", err)
	}
}

// An expiry ends a token at its second, and what is open at the next refresh.
func TestExpiry(t *testing.T) {
	t.Parallel()
	b := bucket(t)
	synctest.Test(t, func(t *testing.T) {
		k := newKeyring(t, b)
		ctx, stop := context.WithCancel(t.Context())
		_, secret, err := k.Issue(ctx, Request{Name: "bob", Role: access.Reader, Expires: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		go k.Run(ctx)
		h, ok := k.Find(secret)
		if !ok {
			t.Fatal("not good at first")
		}
		time.Sleep(59 * time.Second)
		if _, ok := k.Find(secret); !ok || h.Good.Err() != nil {
			t.Error("over before its time")
		}
		time.Sleep(time.Second)
		if _, ok := k.Find(secret); ok {
			t.Error("good after its time")
		}
		time.Sleep(Interval)
		synctest.Wait()
		if h.Good.Err() == nil {
			t.Error("what its holder has open goes on")
		}
		stop()
		synctest.Wait()
	})
}
