package hub

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxEntries bounds the tree a server may announce.
const maxEntries = 100_000

// Entry is a file of a revision.
type Entry struct {
	Path   string
	Size   int64  // bytes of the content
	Blob   string // git's SHA-1 of the blob: of the content, or of the pointer where SHA256 is set
	SHA256 string // of the content; empty unless stored by LFS
}

var (
	sha256ID = regexp.MustCompile(`^[0-9a-f]{64}$`)
	nextPage = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="?next"?`)
)

// Tree lists all files of a revision.
func (c *Client) Tree(ctx context.Context, repo, revision string) ([]Entry, error) {
	if err := CheckRepo(repo); err != nil {
		return nil, err
	}
	var files []Entry
	address := c.model(repo, "tree", revision) + "?recursive=true&expand=false"
	for address != "" {
		resp, err := c.do(ctx, request{method: http.MethodGet, url: address})
		if err != nil {
			return nil, err
		}
		var page []struct {
			Type, Path, OID string
			Size            int64
			LFS             *struct {
				OID  string
				Size int64
			}
		}
		err = decode(resp, &page)
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			if p.Type != "file" {
				continue
			}
			e := Entry{Path: p.Path, Size: p.Size, Blob: p.OID}
			if p.LFS != nil {
				e.SHA256, e.Size = strings.TrimPrefix(p.LFS.OID, "sha256:"), p.LFS.Size
			}
			if err := e.check(); err != nil {
				return nil, err
			}
			files = append(files, e)
		}
		if len(files) > maxEntries {
			return nil, fmt.Errorf("hub: %s has more than %d files", repo, maxEntries)
		}
		next, err := c.next(resp)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 || next == address {
			break
		}
		address = next
	}
	return files, nil
}

// next returns the address of the page that follows, empty after the last. A
// page elsewhere than at the endpoint is refused.
func (c *Client) next(resp *http.Response) (string, error) {
	m := nextPage.FindStringSubmatch(resp.Header.Get("Link"))
	if m == nil {
		return "", nil
	}
	u, err := url.Parse(m[1])
	if err != nil {
		return "", fmt.Errorf("hub: the server named a next page that is not a URL")
	}
	u = resp.Request.URL.ResolveReference(u)
	if !sameOrigin(u, c.base) {
		return "", fmt.Errorf("hub: the server named a next page on another host")
	}
	return u.String(), nil
}

// check refuses what could not be stored or verified.
func (e Entry) check() error {
	if err := CheckPath(e.Path); err != nil {
		return err
	}
	if e.Size < 0 || !commitID.MatchString(e.Blob) || e.SHA256 != "" && !sha256ID.MatchString(e.SHA256) {
		return fmt.Errorf("hub: %q has no proper size and hash", e.Path)
	}
	return nil
}
