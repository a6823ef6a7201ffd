package redisjobs_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs/redisjobs"
)

func TestConnect(t *testing.T) {
	connect := func(url string) redis.UniversalClient {
		t.Helper()
		c, err := redisjobs.Connect(url)
		if err != nil {
			t.Fatalf("Connect(%s): %v", url, err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	one := connect("redis://user:secret@h:7000/3?dial_timeout=3s").(*redis.Client).Options()
	if one.Addr != "h:7000" || one.Username != "user" || one.Password != "secret" || one.DB != 3 || one.DialTimeout.Seconds() != 3 {
		t.Errorf("one server: %+v", one)
	}
	if tls := connect("rediss://h:7000").(*redis.Client).Options(); tls.TLSConfig == nil {
		t.Error("rediss without TLS")
	}
	if unix := connect("unix:///run/redis.sock").(*redis.Client).Options(); unix.Network != "unix" || unix.Addr != "/run/redis.sock" {
		t.Errorf("socket: %+v", unix)
	}
	cluster := connect("redis-cluster://:secret@a:1,b:2,c:3").(*redis.ClusterClient).Options()
	if strings.Join(cluster.Addrs, " ") != "a:1 b:2 c:3" || cluster.Password != "secret" {
		t.Errorf("cluster: %+v", cluster)
	}
	connect("redis-sentinel://:secret@a:26379,b:26379/2?master_name=mymaster")
}

func TestConnectRefuses(t *testing.T) {
	for _, url := range []string{"", "localhost:6379", "http://h", "redis://:hunter2@h:6379/notanumber", "redis-sentinel://:hunter2@a:1",
		"redis://:hunter2@h:6379?nonsense=1"} {
		_, err := redisjobs.Connect(url)
		if err == nil {
			t.Errorf("Connect(%s) succeeded", url)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
