package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPolicyIsCurrent(t *testing.T) {
	t.Parallel()
	manifest, err := os.ReadFile("../../../config/webhook/manifests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("../../../config/webhook/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	current, err := document(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(kept), string(current)); diff != "" {
		t.Errorf("config/webhook/policy.yaml is out of date: run go generate ./webhook (-kept +current):\n%s", diff)
	}
}
