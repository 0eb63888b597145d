package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// The installation that config/default describes.
const (
	defaultRelease   = "fapi-operator"
	defaultNamespace = "fapi-system"
	// serverConfiguration is the ConfigMap that kustomize makes itself, from files:
	// its name changes with its content, which rolls the pods.
	serverConfiguration = defaultRelease + "-authserver"
)

// renderForKustomize writes the chart's objects, as config/default/values.yaml
// wants them, beside the kustomization that names them.
func renderForKustomize(ctx context.Context, config string) error {
	folder := filepath.Join(config, "default")
	values, err := readValues(filepath.Join(folder, "values.yaml"))
	if err != nil {
		return err
	}
	rendered, err := render(ctx, filepath.Join(config, "chart"), defaultRelease, defaultNamespace, values)
	if err != nil {
		return err
	}
	var kept []string
	for _, document := range documents(rendered.manifest) {
		files, err := filesOf(document)
		if err != nil {
			return err
		}
		if files == nil {
			kept = append(kept, withoutHelm(document))
		}
		for name, content := range files {
			if err := writeFile(filepath.Join(folder, name), []byte(content)); err != nil {
				return err
			}
		}
	}
	if err := writeDocuments(filepath.Join(folder, "fapi-operator.yaml"), kept); err != nil {
		return err
	}
	return renderUninstallation(filepath.Join(config, "uninstall"), rendered.hooks)
}

// renderUninstallation writes what Helm does by itself before it uninstalls: kustomize
// has no hooks, so that it is a kustomization of its own. What tests a release is not in it.
func renderUninstallation(folder string, hooks []string) error {
	var kept []string
	for _, hook := range hooks {
		if strings.Contains(hook, "helm.sh/hook: pre-delete") {
			kept = append(kept, withoutHelm(strings.TrimPrefix(strings.TrimSpace(hook), "---\n")))
		}
	}
	return writeDocuments(filepath.Join(folder, "uninstall.yaml"), kept)
}

func writeDocuments(path string, documents []string) error {
	text := "# Rendered from config/chart by make generate.\n---\n" + strings.Join(documents, "\n---\n") + "\n"
	return writeFile(path, []byte(text))
}

func readValues(path string) (map[string]any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read values: %w", err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		return nil, fmt.Errorf("read the values %s: %w", path, err)
	}
	return values, nil
}

// documents splits a stream; what has no object in it is left out.
func documents(manifest string) []string {
	var found []string
	for document := range strings.SplitSeq("\n"+manifest, "\n---\n") {
		if document = strings.TrimSpace(document); strings.Contains(document, "kind:") {
			found = append(found, document)
		}
	}
	return found
}

// filesOf is the content of the server's ConfigMap, by name; nil for another object.
func filesOf(document string) (map[string]string, error) {
	var object struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal([]byte(document), &object); err != nil {
		return nil, fmt.Errorf("read a rendered object: %w", err)
	}
	if object.Kind != "ConfigMap" || object.Metadata.Name != serverConfiguration {
		return nil, nil
	}
	return object.Data, nil
}

// withoutHelm leaves out the labels that say that Helm keeps the object.
func withoutHelm(document string) string {
	var lines []string
	for line := range strings.Lines(document) {
		label := strings.TrimSpace(line)
		if !strings.HasPrefix(label, "helm.sh/chart:") && label != "app.kubernetes.io/managed-by: Helm" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
