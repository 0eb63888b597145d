package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// folder keeps what one run leaves to the next: the cluster's data, keys, the
// server's store.
type folder string

// openFolder makes it when it is missing: ~/.cache/fapi-operator/demo, or what
// FAPI_OPERATOR_DEMO names.
func openFolder() (folder, error) {
	path := os.Getenv("FAPI_OPERATOR_DEMO")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find a folder for the demo; name one with FAPI_OPERATOR_DEMO: %w", err)
		}
		path = filepath.Join(home, ".cache", "fapi-operator", "demo")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("resolve the demo's folder: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("make the demo's folder; name another with FAPI_OPERATOR_DEMO: %w", err)
	}
	// A kustomization refers to the repository by a path without symbolic links.
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("resolve the demo's folder: %w", err)
	}
	return folder(path), nil
}

func (f folder) file(names ...string) string {
	return filepath.Join(append([]string{string(f)}, names...)...)
}

func (f folder) logs() string                  { return f.file("logs") }
func (f folder) controlPlane() string          { return f.file("control-plane") }
func (f folder) program(name string) string    { return f.file("bin", name) }
func (f folder) kubeconfig(user string) string { return f.file(user + ".kubeconfig") }
func (f folder) installation() string          { return f.file("installation") }
func (f folder) caFile() string                { return f.file("ca.crt") }
func (f folder) serverConfig() string          { return f.file("authserver.yaml") }

// store belongs to one cluster: another's operator owns other clients.
func (f folder) store(clusterUID string) string { return f.file("store", clusterUID, "authserver.db") }

// write makes a file for its owner's eyes, and the folders above it.
func (f folder) write(content []byte, names ...string) error {
	path := f.file(names...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write a file of the demo: %w", err)
	}
	return nil
}

// exists tells whether a file is there already.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
