package main

import (
	"os"
	"os/exec"
	"testing"
)

// TestLongSchemathesis has Schemathesis ask every operation of /openapi.json for
// everything the document allows, and much that it does not: no answer may be a
// server error, a status or a body that the document does not tell of.
func TestLongSchemathesis(t *testing.T) {
	long(t)
	program := os.Getenv("SCHEMATHESIS")
	if program == "" {
		t.Skip(`SCHEMATHESIS names no Schemathesis: eval "$(.ci/peers schemathesis)"`)
	}
	s := newService(t)
	s.succeeds(s.submit(small(1, "")).ID) // without a model every prediction is a 503
	cmd := exec.CommandContext(t.Context(), program, "run", s.url+"/openapi.json",
		"--checks", "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance",
		"--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--request-timeout", "60", "--seed", "1")
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
