package storage_test

import (
	"strings"
	"testing"

	"polyid-trainer/storage"
)

func TestCheckKey(t *testing.T) {
	for _, key := range []string{"a", "jobs/tj_1/record.json", "é/ü", "a b", "..a", "a.", strings.Repeat("k", 1024)} {
		if err := storage.CheckKey(key); err != nil {
			t.Errorf("CheckKey(%.40q) = %v, want nil", key, err)
		}
	}
	for _, key := range []string{"", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "a\x00b", "a\nb", "\xff", strings.Repeat("k", 1025)} {
		if storage.CheckKey(key) == nil {
			t.Errorf("CheckKey(%.40q) = nil, want an error", key)
		}
	}
}

func TestCondition(t *testing.T) {
	if c := (storage.Condition{}); c.Absent() {
		t.Error("the zero condition asks for absence")
	} else if _, ok := c.Match(); ok {
		t.Error("the zero condition asks for a version")
	}
	if v, ok := storage.IfMatch("x").Match(); !ok || v != "x" {
		t.Errorf("IfMatch(x).Match() = %q, %v", v, ok)
	}
	if !storage.IfAbsent().Absent() {
		t.Error("IfAbsent is not absent")
	}
}
