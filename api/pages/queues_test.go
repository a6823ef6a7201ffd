package pages

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/jobs/tokens"
)

// enqueued is a Redis with a task on its queue.
func enqueued(t *testing.T) (redis.UniversalClient, *redisjobs.Queue) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { client.Close() })
	q := redisjobs.NewQueue(client)
	if err := q.Enqueue(context.Background(), jobs.Task{Kind: jobs.Predict, Job: "pj_1"}); err != nil {
		t.Fatal(err)
	}
	return client, q
}

func serve(t *testing.T, c httpapi.Config, areas ...httpapi.Area) *httptest.Server {
	t.Helper()
	h := httptest.NewServer(httpapi.New(c, areas...))
	t.Cleanup(h.Close)
	return h
}

func TestQueues(t *testing.T) {
	client, q := enqueued(t)
	h := serve(t, httpapi.Config{Tokens: tokens.New(nil, []tokens.Stated{{Name: "ann", Secret: "s3cret"}}, nil, nil)}, &Queues{Redis: client})
	auth := map[string]string{"Authorization": "Bearer s3cret"}

	apitest.Request{Path: "/queues"}.Problem(t, h.URL, http.StatusUnauthorized, "unauthorized")
	apitest.Request{Path: "/queues/api/queues"}.Problem(t, h.URL, http.StatusUnauthorized, "unauthorized")

	resp, frame := apitest.Request{Path: "/queues", Header: auth}.Send(t, h.URL)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(frame), `<iframe class="whole" src="/queues/"`) || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-src 'self'") {
		t.Errorf("the page around the dashboard: %d %s", resp.StatusCode, frame)
	}
	resp, page := apitest.Request{Path: "/queues/", Header: auth}.Send(t, h.URL)
	policy := resp.Header.Get("Content-Security-Policy")
	scripts := inlineScript.FindAllSubmatch(page, -1)
	if resp.StatusCode != http.StatusOK || len(scripts) != 2 {
		t.Fatalf("the page: %d with %d inline scripts", resp.StatusCode, len(scripts))
	}
	for _, s := range scripts {
		sum := sha256.Sum256(s[1])
		if !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) {
			t.Errorf("the policy %q does not allow %.60s…", policy, s[1])
		}
	}
	if framed := resp.Header.Get("X-Frame-Options"); framed != "SAMEORIGIN" || !strings.Contains(policy, "frame-ancestors 'self'") {
		t.Errorf("our page may not show the dashboard: %q, %q", framed, policy)
	}
	if strings.Contains(policy, "script-src 'unsafe-inline'") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy is %q", policy)
	}
	resp, body := apitest.Request{Path: "/queues/api/queues", Header: auth}.Send(t, h.URL)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"queue":"predict"`) {
		t.Errorf("the queues: %d %s", resp.StatusCode, body)
	}
	resp, body = apitest.Request{Path: "/queues/api/queues/predict/pending_tasks", Header: auth}.Send(t, h.URL)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "pj_1:predict:0") {
		t.Errorf("the tasks: %d %s", resp.StatusCode, body)
	}
	// A page of the dashboard that a browser asks for by its address.
	if resp, _ := (apitest.Request{Path: "/queues/queues/predict", Header: auth}).Send(t, h.URL); resp.StatusCode != http.StatusOK {
		t.Errorf("a page below: %d", resp.StatusCode)
	}

	remove := apitest.Request{Method: http.MethodDelete, Path: "/queues/api/queues/predict/pending_tasks/pj_1:predict:0", Header: auth}
	if resp, _ := remove.Send(t, h.URL); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("removing a task answers %d", resp.StatusCode)
	}
	if depth, err := q.Depth(); err != nil || depth[jobs.Predict] != 1 {
		t.Errorf("the queue holds %v, %v", depth, err)
	}
}

func TestQueuesWritable(t *testing.T) {
	client, q := enqueued(t)
	h := serve(t, httpapi.Config{}, &Queues{Redis: client, Writable: true})
	remove := apitest.Request{Method: http.MethodDelete, Path: "/queues/api/queues/predict/pending_tasks/pj_1:predict:0"}
	foreign := remove
	foreign.Header = map[string]string{"Origin": "https://evil.example"}
	foreign.Problem(t, h.URL, http.StatusForbidden, "forbidden")
	if resp, body := remove.Send(t, h.URL); resp.StatusCode >= 300 {
		t.Errorf("removing a task answers %d %s", resp.StatusCode, body)
	}
	if depth, err := q.Depth(); err != nil || depth[jobs.Predict] != 0 {
		t.Errorf("the queue holds %v, %v", depth, err)
	}
}
