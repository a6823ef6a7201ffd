package hub_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"

	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
)

// A revision is published to a Hub as one commit, tagged and downloaded again.
func ExampleClient_Snapshot() {
	dir, err := os.MkdirTemp("", "hub")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	server, err := hubserver.New(hubserver.Config{Dir: dir + "/server"})
	if err != nil {
		log.Fatal(err)
	}
	listening := httptest.NewServer(server)
	defer listening.Close()
	client, err := hub.New(hub.Config{Endpoint: listening.URL, CacheDir: dir + "/cache"})
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	const repo = "polyid/example"
	if err := client.EnsureRepo(ctx, repo, false); err != nil {
		log.Fatal(err)
	}
	commit, err := client.Commit(ctx, repo, "main", hub.Commit{Summary: "first", Add: []hub.File{hub.Bytes("config.json", []byte("{}"))}})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.CreateTag(ctx, repo, commit, "v1.0.0", ""); err != nil {
		log.Fatal(err)
	}
	snapshot, err := client.Snapshot(ctx, repo, "v1.0.0", func(e hub.Entry) bool { return e.Path == "config.json" }, nil)
	if err != nil {
		log.Fatal(err)
	}
	content, err := os.ReadFile(snapshot.Dir + "/config.json")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(snapshot.Commit == commit, string(content))
	// Output: true {}
}
