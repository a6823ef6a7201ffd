package hubserver

import (
	"net/http"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// What this Hub does not have is refused with a sentence, by an answer that
// clients turn into an exception of their own.

// otherType answers calls on repositories of another type than model: there are
// none.
func (s *Server) otherType(http.ResponseWriter, *http.Request) error {
	return errorf(http.StatusNotFound, "RepoNotFound", "This Hub holds repositories of type model only")
}

// absent answers a call on a model repository that this Hub has no answer to.
func absent(what string) handler {
	return func(http.ResponseWriter, *http.Request) error {
		return badRequest("This Hub has no %s", what)
	}
}

// absentCalls are the calls on a repository that clients know and this Hub does
// not have, by what stands after its name.
var absentCalls = map[string]string{
	"discussions":         "discussions and pull requests: commit to a branch instead",
	"likers":              "likes",
	"like":                "likes",
	"scan":                "security scans",
	"user-access-request": "gated repositories: make the repository private instead",
	"lfs-files/batch":     "deletion of stored files: delete the branches and tags that lead to them, they are removed within days",
	"lfs-files/duplicate": "copies of large files between repositories: download and upload the file, or duplicate the repository",
	"resource-group":      "resource groups",
	"webhooks":            "webhooks for repositories",
}

// noPush answers git push in words that git shows.
func (s *Server) noPush(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/x-git-receive-pack-advertisement")
	w.Header().Set("Cache-Control", "no-cache")
	out := pktline.NewEncoder(w) // errors mean that the client is gone
	out.EncodeString("# service=git-receive-pack\n")
	out.Flush()
	out.EncodeString("ERR This Hub takes no push: commit through its API, with `hf upload` or huggingface_hub\n")
	return nil
}
