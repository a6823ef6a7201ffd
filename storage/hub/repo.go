package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// User returns the name the token belongs to; ErrUnauthorized without a valid one.
func (c *Client) User(ctx context.Context) (string, error) {
	var out struct{ Name string }
	err := c.call(ctx, http.MethodGet, c.api("whoami-v2"), nil, &out, false)
	return out.Name, err
}

// CreateRepo creates a model repository with an empty main branch. ErrExists
// means there is one already, whose visibility stays as it is.
func (c *Client) CreateRepo(ctx context.Context, repo string, private bool) error {
	if err := CheckRepo(repo); err != nil {
		return err
	}
	namespace, name, _ := strings.Cut(repo, "/")
	in := map[string]any{"name": name, "organization": namespace, "type": "model", "private": private, "visibility": "public"}
	if private {
		in["visibility"] = "private"
	}
	return c.call(ctx, http.MethodPost, c.api("repos", "create"), in, nil, true)
}

// EnsureRepo is CreateRepo where an existing repository is as good.
func (c *Client) EnsureRepo(ctx context.Context, repo string, private bool) error {
	if err := c.CreateRepo(ctx, repo, private); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	return nil
}

// DeleteRepo removes a repository with all its revisions.
func (c *Client) DeleteRepo(ctx context.Context, repo string) error {
	if err := CheckRepo(repo); err != nil {
		return err
	}
	namespace, name, _ := strings.Cut(repo, "/")
	in := map[string]any{"name": name, "organization": namespace, "type": "model"}
	return c.call(ctx, http.MethodDelete, c.api("repos", "delete"), in, nil, true)
}

// CreateTag names a revision for good; ErrExists if the tag is taken. With a
// message the tag is annotated.
func (c *Client) CreateTag(ctx context.Context, repo, revision, tag, message string) error {
	if err := CheckTag(tag); err != nil {
		return err
	}
	in := map[string]any{"tag": tag}
	if message != "" {
		in["message"] = message
	}
	return c.ref(ctx, http.MethodPost, repo, "tag", revision, in)
}

// DeleteTag removes a tag.
func (c *Client) DeleteTag(ctx context.Context, repo, tag string) error {
	return c.ref(ctx, http.MethodDelete, repo, "tag", tag, nil)
}

// CreateBranch starts a branch at a revision, at main if revision is empty;
// ErrExists if there is one.
func (c *Client) CreateBranch(ctx context.Context, repo, branch, revision string) error {
	if err := CheckBranch(branch); err != nil {
		return err
	}
	in := map[string]any{}
	if revision != "" {
		in["startingPoint"] = revision
	}
	return c.ref(ctx, http.MethodPost, repo, "branch", branch, in)
}

// DeleteBranch removes a branch; main stays.
func (c *Client) DeleteBranch(ctx context.Context, repo, branch string) error {
	return c.ref(ctx, http.MethodDelete, repo, "branch", branch, nil)
}

func (c *Client) ref(ctx context.Context, method, repo, kind, name string, in any) error {
	if err := CheckRepo(repo); err != nil {
		return err
	}
	return c.call(ctx, method, c.model(repo, kind, name), in, nil, true)
}

// Ref is a branch or tag.
type Ref struct {
	Name   string `json:"name"`         // short: "main", "v1.0.0"
	Ref    string `json:"ref"`          // full: "refs/heads/main"
	Commit string `json:"targetCommit"` // 40 hexadecimal digits
}

// Refs are the branches and tags of a repository.
type Refs struct {
	Branches []Ref `json:"branches"`
	Tags     []Ref `json:"tags"`
}

// Refs lists the branches and tags.
func (c *Client) Refs(ctx context.Context, repo string) (*Refs, error) {
	if err := CheckRepo(repo); err != nil {
		return nil, err
	}
	out := new(Refs)
	if err := c.call(ctx, http.MethodGet, c.model(repo, "refs"), nil, out, false); err != nil {
		return nil, err
	}
	return out, nil
}

// Model describes a repository at a revision.
type Model struct {
	ID       string    `json:"id"`
	Commit   string    `json:"sha"` // what the revision resolves to
	Private  bool      `json:"private"`
	Modified time.Time `json:"lastModified"`
	Tags     []string  `json:"tags"`
	Files    []struct {
		Path string `json:"rfilename"`
	} `json:"siblings"`
}

// Model resolves a branch, tag or commit and describes it.
func (c *Client) Model(ctx context.Context, repo, revision string) (*Model, error) {
	if err := CheckRepo(repo); err != nil {
		return nil, err
	}
	out := new(Model)
	if err := c.call(ctx, http.MethodGet, c.model(repo, "revision", revision), nil, out, false); err != nil {
		return nil, err
	}
	if !commitID.MatchString(out.Commit) {
		return nil, fmt.Errorf("hub: %s at %s: the server named no commit", repo, revision)
	}
	return out, nil
}
