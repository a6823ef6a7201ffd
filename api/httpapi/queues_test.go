package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
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

func TestQueues(t *testing.T) {
	client, q := enqueued(t)
	h := serve(t, Config{Tokens: []Token{{"ann", "s3cret"}}}, &Queues{Redis: client})
	auth := map[string]string{"Authorization": "Bearer s3cret"}

	request{path: "/queues"}.problem(t, h.URL, http.StatusUnauthorized, "unauthorized")
	request{path: "/queues/api/queues"}.problem(t, h.URL, http.StatusUnauthorized, "unauthorized")

	resp, frame := request{path: "/queues", header: auth}.send(t, h.URL)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(frame), `<iframe class="whole" src="/queues/"`) || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-src 'self'") {
		t.Errorf("the page around the dashboard: %d %s", resp.StatusCode, frame)
	}
	resp, page := request{path: "/queues/", header: auth}.send(t, h.URL)
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
	resp, body := request{path: "/queues/api/queues", header: auth}.send(t, h.URL)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"queue":"predict"`) {
		t.Errorf("the queues: %d %s", resp.StatusCode, body)
	}
	resp, body = request{path: "/queues/api/queues/predict/pending_tasks", header: auth}.send(t, h.URL)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "pj_1:predict:0") {
		t.Errorf("the tasks: %d %s", resp.StatusCode, body)
	}
	// A page of the dashboard that a browser asks for by its address.
	if resp, _ := (request{path: "/queues/queues/predict", header: auth}).send(t, h.URL); resp.StatusCode != http.StatusOK {
		t.Errorf("a page below: %d", resp.StatusCode)
	}

	remove := request{method: http.MethodDelete, path: "/queues/api/queues/predict/pending_tasks/pj_1:predict:0", header: auth}
	if resp, _ := remove.send(t, h.URL); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("removing a task answers %d", resp.StatusCode)
	}
	if depth, err := q.Depth(); err != nil || depth[jobs.Predict] != 1 {
		t.Errorf("the queue holds %v, %v", depth, err)
	}
}

func TestQueuesWritable(t *testing.T) {
	client, q := enqueued(t)
	h := serve(t, Config{}, &Queues{Redis: client, Writable: true})
	remove := request{method: http.MethodDelete, path: "/queues/api/queues/predict/pending_tasks/pj_1:predict:0"}
	foreign := remove
	foreign.header = map[string]string{"Origin": "https://evil.example"}
	foreign.problem(t, h.URL, http.StatusForbidden, "forbidden")
	if resp, body := remove.send(t, h.URL); resp.StatusCode >= 300 {
		t.Errorf("removing a task answers %d %s", resp.StatusCode, body)
	}
	if depth, err := q.Depth(); err != nil || depth[jobs.Predict] != 0 {
		t.Errorf("the queue holds %v, %v", depth, err)
	}
}
