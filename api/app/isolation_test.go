package app

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/jobs/tokens"
)

// house is a service that root (admin), alice and bob (members) and carol (reader)
// have tokens of; "" is nobody.
type house struct {
	*App
	t   *testing.T
	ids map[string]string // alice's things, by the path of their collection
}

func (h *house) do(who, method, path, body string, headers ...string) (*http.Response, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.URL()+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if who != "" && r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+who+"-secret")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp, string(text)
}

// make creates something and returns its id.
func (h *house) make(who, path, body string, headers ...string) string {
	h.t.Helper()
	resp, text := h.do(who, "POST", path, body, headers...)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(text), &made); err != nil || resp.StatusCode >= 300 || made.ID == "" {
		h.t.Fatalf("POST %s as %s: %d %s", path, who, resp.StatusCode, text)
	}
	return made.ID
}

const smallJob = `"kfolds": 2, "epochs": 1, "model": {"atom_features": 8, "bond_features": 8, "num_messages": 1}`

func newHouse(t *testing.T) *house {
	t.Helper()
	var stated []tokens.Stated
	for name, role := range map[string]access.Role{"root": access.Admin, "alice": access.Member, "bob": access.Member, "carol": access.Reader} {
		stated = append(stated, tokens.Stated{Name: name, Secret: name + "-secret", Role: role})
	}
	a, _ := start(t, Config{Secrets: Secrets{APITokens: stated}})
	h := &house{App: a, t: t, ids: map[string]string{}}
	h.ids["/v1/datasets"] = h.make("alice", "/v1/datasets?name=mine", "smiles_polymer,Tg\nCCO,1\nCCC,2\nCCN,3\nCCCC,4\nCCCO,5\nCCCN,6\nCCCCC,7\nCCOC,8\nCCCCO,9\nCCCCN,10\n", "Content-Type", "text/csv")
	h.ids["/v1/datasets/uploads"] = h.make("alice", "/v1/datasets/uploads", "")
	job := h.make("alice", "/v1/training-jobs", `{"dataset": "stereopolymer_input_nopush", "publish": null, `+smallJob+`}`)
	h.ids["/v1/training-jobs"] = job
	if resp, text := h.do("alice", "POST", "/v1/training-jobs/"+job+"/pause", ""); resp.StatusCode != http.StatusOK {
		t.Fatalf("pausing: %d %s", resp.StatusCode, text)
	}
	h.ids["/v1/schedules"] = h.make("alice", "/v1/schedules", `{"cron": "@monthly", "dataset": "stereopolymer_input_nopush", "job": {"publish": null, `+smallJob+`}}`)
	h.ids["/v1/searches"] = h.make("alice", "/v1/searches", `{"job": {"dataset": "stereopolymer_input_nopush", "publish": null, `+smallJob+`}, "space": {"learning_rate": {"log": [1e-5, 1e-3]}}, "method": "random", "max_trials": 1, "train_best": false}`)
	if resp, text := h.do("alice", "POST", "/v1/searches/"+h.ids["/v1/searches"]+"/cancel", ""); resp.StatusCode != http.StatusOK {
		t.Fatalf("cancelling: %d %s", resp.StatusCode, text)
	}
	p := predictions.New(time.Now(), "alice", predictions.Model{Repo: a.config.HubRepo, Revision: "main"}, predictions.JSON, 1)
	p.EndFailed(time.Now(), jobs.Failure{Code: "x", Detail: "y"})
	if err := predictions.NewStore(a.patient).Add(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	h.ids["/v1/predictions"] = p.ID
	x, err := screenings.New(time.Now(), "alice", screenings.Spec{}, screenings.Model{}, screenings.Source{Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	x.Status = screenings.Cancelled
	if err := screenings.NewStore(a.patient, time.Now).Create(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	h.ids["/v1/screenings"] = x.ID
	return h
}

// lists are the collections whose things have owners.
var lists = []string{"/v1/datasets", "/v1/datasets/uploads", "/v1/training-jobs", "/v1/schedules", "/v1/searches", "/v1/predictions", "/v1/screenings"}

// others are the operations that are about no one thing: what each is, as
// jobs/access calls it. One that is not here, nor below a list, fails the test.
var others = map[string]access.Action{
	"GET /v1/datasets": access.View, "POST /v1/datasets": access.Create,
	"POST /v1/datasets/uploads": access.Create,
	"GET /v1/training-jobs":     access.View, "POST /v1/training-jobs": access.Create, "POST /v1/training-jobs/estimate": access.Create,
	"GET /v1/schedules": access.View, "POST /v1/schedules": access.Create,
	"GET /v1/searches": access.View, "POST /v1/searches": access.Create,
	"GET /v1/screenings": access.View, "POST /v1/screenings": access.Create, "POST /v1/screenings/estimate": access.Create,
	"POST /v1/predictions": access.Predict,
	"GET /v1/models":       access.View, "GET /v1/models/versions": access.View, "GET /v1/models/difference": access.View,
	"POST /v1/models/promote": access.Modify, "POST /v1/models/import": access.Create,
	"GET /v1/recipes": access.View, "GET /v1/usage": access.View, "GET /v1/workers": access.View, "GET /v1/queue": access.View,
	"GET /v1/tokens": access.Administer, "POST /v1/tokens": access.Administer, "DELETE /v1/tokens/{id}": access.Administer, "GET /v1/audit": access.Administer,
	"GET /livez": access.Open, "GET /readyz": access.Open,
}

// TestIsolation asks every operation of the OpenAPI document, the pages, the streams
// and the embedded Hub as everybody, about things of alice's.
func TestIsolation(t *testing.T) {
	h := newHouse(t)
	_, text := h.do("root", "GET", "/openapi.json", "")
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for method := range document.Paths[path] {
			method = strings.ToUpper(method)
			list := slices.IndexFunc(lists, func(l string) bool { return strings.HasPrefix(path, l+"/{") })
			action, known := others[method+" "+path]
			switch {
			case list >= 0 && !known:
				h.hidden(method, path, lists[list])
			case known:
				h.ruled(method, path, action)
			default:
				t.Errorf("%s %s: say in this test whose it is", method, path)
			}
		}
	}
	h.pages()
	h.hub()
	h.sharing()
}

// hidden holds that an operation on a thing of alice's answers others as if the thing
// were not there.
func (h *house) hidden(method, path, list string) {
	id, ok := h.ids[list]
	if !ok {
		h.t.Errorf("%s %s: make one of alice's in newHouse", method, path)
		return
	}
	absent := id[:len(id)-1] + map[bool]string{true: "1", false: "0"}[id[len(id)-1] == '0']
	at := func(id string) string {
		return strings.NewReplacer("{id}", id, "{index}", "0", "{trial}", "0").Replace(path)
	}
	for _, stream := range []string{"", "text/event-stream"} {
		if stream != "" && !strings.HasSuffix(path, "/events") {
			continue
		}
		for who, role := range map[string]access.Role{"bob": access.Member, "carol": access.Reader, "": ""} {
			resp, text := h.do(who, method, at(id), "{}", "Accept", stream)
			none, same := h.do(who, method, at(absent), "{}", "Accept", stream)
			want := 404
			switch {
			case role == "":
				want = 401
			case role == access.Reader && method != "GET":
				want = 403
			case resp.StatusCode == http.StatusUnprocessableEntity && method != "GET": // the body is looked at first
				want = 422
			}
			if resp.StatusCode != want || none.StatusCode != want || strings.ReplaceAll(text, id, absent) != same {
				h.t.Errorf("%s %s of alice's as %q: %d %.200s, of what is not there %d %.200s; want %d", method, path, who, resp.StatusCode, text, none.StatusCode, same, want)
			}
		}
	}
	if method == "GET" {
		for _, who := range []string{"alice", "root"} {
			if resp, text := h.do(who, method, at(id), ""); resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusNotFound && !strings.Contains(path, "{index}") && !strings.Contains(path, "{trial}") && !strings.HasSuffix(path, "/folds") {
				h.t.Errorf("%s %s as %s: %d %.200s", method, path, who, resp.StatusCode, text)
			}
		}
	}
}

// ruled holds that an operation is open to those that the action says, and tells
// others nothing of alice's.
func (h *house) ruled(method, path string, action access.Action) {
	for who, role := range map[string]access.Role{"root": access.Admin, "bob": access.Member, "carol": access.Reader, "": ""} {
		resp, text := h.do(who, method, strings.ReplaceAll(path, "{id}", "nobody"), "{}")
		refused := resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden
		if may := (access.Identity{Name: who, Role: role}).May(action); may == refused && !(path == "/v1/models/promote" && resp.StatusCode == http.StatusForbidden) {
			h.t.Errorf("%s %s as %q: %d %.200s", method, path, who, resp.StatusCode, text)
		}
		if who != "root" {
			h.silent(who, method+" "+path, text)
		}
	}
}

// silent holds that an answer to somebody names nothing of alice's.
func (h *house) silent(who, what, text string) {
	h.t.Helper()
	for _, id := range h.ids {
		if strings.Contains(text, id) {
			h.t.Errorf("%s tells %q of alice's %s", what, who, id)
		}
	}
	if strings.Contains(text, "alice") {
		h.t.Errorf("%s tells %q of alice", what, who)
	}
}

// pages asks the pages, which send a stranger to the login.
func (h *house) pages() {
	job := "/jobs/" + h.ids["/v1/training-jobs"]
	for path, want := range map[string]map[string]int{
		"/": {"alice": 200, "bob": 200, "carol": 303, "": 303}, "/jobs": {"bob": 200, "carol": 200, "": 303}, "/searches": {"bob": 200, "carol": 200, "": 303}, "/searches/" + h.ids["/v1/searches"]: {"alice": 200, "bob": 404, "carol": 404, "": 303}, "/screen": {"alice": 200, "bob": 200, "carol": 200, "": 303}, "/screenings/" + h.ids["/v1/screenings"]: {"alice": 200, "root": 200, "bob": 404, "carol": 404, "": 303}, job: {"alice": 200, "root": 200, "bob": 404, "carol": 404, "": 303},
		"/predict": {"carol": 200, "": 303}, "/models": {"carol": 200, "": 303}, "/workers": {"bob": 200, "carol": 200, "": 303}, "/docs": {"carol": 200, "": 303},
		"/queues": {"root": 200, "bob": 403, "carol": 403, "": 303}, "/queues/": {"root": 200, "bob": 403, "": 303},
	} {
		for who, status := range want {
			resp, text := h.do(who, "GET", path, "", "Accept", "text/html")
			if resp.StatusCode != status {
				h.t.Errorf("the page %s as %q: %d, want %d", path, who, resp.StatusCode, status)
			}
			if who == "bob" || who == "carol" {
				h.silent(who, path, strings.ReplaceAll(text, strings.Trim(path[strings.LastIndexByte(path, 0x2f)+1:], " "), ""))
			}
		}
	}
}

// hub asks the embedded Hub about a private repository of alice's; package hubserver
// asks all its addresses.
func (h *house) hub() {
	const repo = "alice/secret-model"
	if resp, text := h.do("alice", "POST", "/hub/api/repos/create", `{"name": "`+repo+`", "private": true}`); resp.StatusCode != http.StatusOK {
		h.t.Fatalf("making a repository: %d %s", resp.StatusCode, text)
	}
	for _, path := range []string{"/hub/api/models/" + repo, "/hub/" + repo + "/resolve/main/.gitattributes", "/hub/" + repo + "/info/refs?service=git-upload-pack", "/hub/" + repo} {
		for who, want := range map[string]int{"alice": 200, "root": 200, "bob": 404, "carol": 404, "": 401} {
			if resp, text := h.do(who, "GET", path, ""); resp.StatusCode != want {
				h.t.Errorf("%s as %q: %d %.100s, want %d", path, who, resp.StatusCode, text, want)
			}
		}
	}
	batch := `{"operation": "download", "objects": [{"oid": "` + strings.Repeat("a", 64) + `", "size": 1}]}`
	if resp, _ := h.do("bob", "POST", "/hub/"+repo+"/info/lfs/objects/batch", batch); resp.StatusCode != http.StatusNotFound {
		h.t.Errorf("LFS as bob: %d", resp.StatusCode)
	}
	for who, want := range map[string]int{"bob": 403, "carol": 403} { // publishing where it is another's
		if resp, text := h.do(who, "POST", "/v1/training-jobs", `{"dataset": "stereopolymer_input_nopush", "publish": {"repo": "`+repo+`"}, `+smallJob+`}`); resp.StatusCode != want {
			h.t.Errorf("publishing to alice's repository as %s: %d %.200s", who, resp.StatusCode, text)
		}
	}
	if resp, text := h.do("bob", "POST", "/v1/training-jobs", `{"dataset": "`+h.ids["/v1/datasets"]+`", `+smallJob+`}`); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(text, "there is no dataset") {
		h.t.Errorf("training on alice's dataset as bob: %d %.200s", resp.StatusCode, text)
	}
	if resp, text := h.do("bob", "POST", "/v1/training-jobs/estimate", `{"dataset": "stereopolymer_input_nopush", `+smallJob+`}`); resp.StatusCode != http.StatusOK || strings.Contains(text, "may not publish") {
		h.t.Errorf("a member's job that names no repository: %d %.200s", resp.StatusCode, text)
	}
}

// sharing holds that what is shared can be read and not changed, that a token that is
// revoked ends with what it has open, and that all of it is in the audit log.
func (h *house) sharing() {
	path := "/v1/training-jobs/" + h.ids["/v1/training-jobs"]
	resp, text := h.do("alice", "PATCH", path, `{"shared_with": ["bob", "dave"], "name": "ours"}`)
	if resp.StatusCode != http.StatusOK || !strings.Contains(text, `"name":"ours"`) || !strings.Contains(text, `"owner":"alice"`) {
		h.t.Fatalf("sharing: %d %s", resp.StatusCode, text)
	}
	for _, c := range []struct {
		who, method, path string
		want              int
	}{
		{"bob", "GET", path, 200}, {"bob", "GET", path + "/events", 200}, {"bob", "PATCH", path, 403}, {"bob", "POST", path + "/cancel", 403}, {"bob", "DELETE", path, 403}, {"carol", "GET", path, 404},
	} {
		if resp, text := h.do(c.who, c.method, c.path, `{"notes": "x"}`); resp.StatusCode != c.want {
			h.t.Errorf("%s of what is shared as %s: %d %.200s, want %d", c.method, c.who, resp.StatusCode, text, c.want)
		}
	}
	resp, text = h.do("root", "POST", "/v1/tokens", `{"name": "dave", "role": "reader"}`)
	var issued struct{ ID, Secret string }
	if err := json.Unmarshal([]byte(text), &issued); err != nil || resp.StatusCode != http.StatusCreated || issued.Secret == "" {
		h.t.Fatalf("issuing: %d %s", resp.StatusCode, text)
	}
	if _, text := h.do("root", "GET", "/v1/tokens", ""); !strings.Contains(text, issued.ID) || strings.Contains(text, issued.Secret) {
		h.t.Errorf("the list of tokens: %s", text)
	}
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.URL()+path+"/events", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+issued.Secret)
	r.Header.Set("Accept", "text/event-stream")
	stream, err := http.DefaultClient.Do(r)
	if err != nil || stream.StatusCode != http.StatusOK {
		h.t.Fatalf("following what is shared: %v, %v", stream, err)
	}
	defer stream.Body.Close()
	if line, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil {
		h.t.Fatalf("the stream begins with %q, %v", line, err)
	}
	if resp, text := h.do("root", "DELETE", "/v1/tokens/"+issued.ID, ""); resp.StatusCode != http.StatusNoContent {
		h.t.Fatalf("revoking: %d %s", resp.StatusCode, text)
	}
	if _, err := io.Copy(io.Discard, stream.Body); err != nil { // would go on for as long as the job is paused
		h.t.Logf("the stream of a revoked token ends with %v", err)
	}
	if resp, _ := h.do("", "GET", path, "", "Authorization", "Bearer "+issued.Secret); resp.StatusCode != http.StatusUnauthorized {
		h.t.Errorf("a revoked token answers %d", resp.StatusCode)
	}
	_, log := h.do("root", "GET", "/v1/audit", "")
	for _, want := range []string{`"token":"alice","role":"member","address":"127.0.0.1","method":"PATCH","path":"` + path + `","status":200,"outcome":"done"`, `"method":"DELETE","path":"/v1/tokens/` + issued.ID, `"outcome":"refused"`} {
		if !strings.Contains(log, want) {
			h.t.Errorf("the audit log lacks %s", want)
		}
	}
	if strings.Contains(log, issued.Secret) || strings.Contains(log, "-secret\"") {
		h.t.Error("the audit log holds a secret")
	}
}
