package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// manifests are what controller-gen and the rule book make, by where they are and where the
// chart's templates read them. A chart's files must lie in its own folder.
var manifests = []struct{ from, to string }{
	{"crd/bases", "crd"},
	{"rbac/role.yaml", "rbac/role.yaml"},
	{"webhook/manifests.yaml", "webhook/manifests.yaml"},
	{"webhook/policy.yaml", "webhook/policy.yaml"},
}

// copyManifests leaves nothing in the chart that has no source any more.
func copyManifests(config string) error {
	generated := filepath.Join(config, "chart", "generated")
	if err := os.RemoveAll(generated); err != nil {
		return fmt.Errorf("clear the chart's generated files: %w", err)
	}
	for _, manifest := range manifests {
		if err := copyTree(filepath.Join(config, manifest.from), filepath.Join(generated, manifest.to)); err != nil {
			return fmt.Errorf("copy %s into the chart: %w", manifest.from, err)
		}
	}
	return nil
}

// copyTree copies a file, or a folder of files.
func copyTree(from, to string) error {
	status, err := os.Stat(from)
	if err != nil {
		return err
	}
	if status.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeFile(to, content)
}

// writeFile makes the file's folder too.
func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
