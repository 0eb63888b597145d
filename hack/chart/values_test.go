package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A value without a word about it is a riddle.
func TestEveryValueIsExplained(t *testing.T) {
	t.Parallel()
	walk(valuesDocument(t), "", func(path string, key, _ *yaml.Node) {
		if key.HeadComment == "" {
			t.Errorf("values.yaml, line %d: %s has no comment above it", key.Line, path)
		}
	})
}

// The schema refuses what it does not know, so values and schema name the same.
func TestSchemaAndValuesNameTheSame(t *testing.T) {
	t.Parallel()
	values, err := readSchema(filepath.Join(chartFolder, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var stated []string
	walk(valuesDocument(t), "", func(path string, _, _ *yaml.Node) { stated = append(stated, path) })
	known := schemaPaths(values, values, "")
	slices.Sort(stated)
	slices.Sort(known)
	if !slices.Equal(stated, known) {
		t.Errorf("in values.yaml alone: %v\nin the schema alone: %v", without(stated, known), without(known, stated))
	}
}

// A value that no template names does nothing.
func TestEveryValueIsRead(t *testing.T) {
	t.Parallel()
	templates := readTemplates(t)
	walk(valuesDocument(t), "", func(path string, key, _ *yaml.Node) {
		if !regexp.MustCompile(`[."]` + key.Value + `\b`).MatchString(templates) {
			t.Errorf("no template reads %s", path)
		}
	})
}

// What Helm offers that gives another answer each time, or asks the cluster.
func TestNoTemplateMakesRandomnessOrAsksTheCluster(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`\b(rand[A-Z]\w*|gen[A-Z]\w*|derivePassword|htpasswd|bcrypt|encryptAES|uuidv4|now|ago|lookup|getHostByName|env|expandenv)\b`)
	actions := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	quoted := regexp.MustCompile("\"[^\"]*\"|`[^`]*`|/\\*.*?\\*/")
	for _, action := range actions.FindAllString(readTemplates(t), -1) {
		if found := forbidden.FindString(quoted.ReplaceAllString(strings.ReplaceAll(action, "\n", " "), "")); found != "" {
			t.Errorf("%s in %s", found, action)
		}
	}
}

func readTemplates(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	err := filepath.WalkDir(filepath.Join(chartFolder, "templates"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		text.Write(content)
		return err
	})
	if err != nil || text.Len() == 0 {
		t.Fatalf("read the templates: %v", err)
	}
	return text.String()
}

func valuesDocument(t *testing.T) *yaml.Node {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chartFolder, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return document.Content[0]
}

// walk visits the members of block mappings, which are the values; what is
// written in braces is one value's content.
func walk(mapping *yaml.Node, prefix string, visit func(path string, key, value *yaml.Node)) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		path := strings.TrimPrefix(prefix+"."+key.Value, ".")
		visit(path, key, value)
		if value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 && key.Value != "resources" {
			walk(value, path, visit)
		}
	}
}

// schemaPaths are the members that the chart's own part of the schema knows. The
// server's settings, which have defaults of their own, are optional.
func schemaPaths(root, of jsonSchema, prefix string) []string {
	var paths []string
	for name, member := range part(of, "properties") {
		path := strings.TrimPrefix(prefix+"."+name, ".")
		if path == "global" || prefix == "config" && !slices.Contains([]string{"issuer", "mtlsBaseURL", "defaultResource"}, name) {
			continue
		}
		paths = append(paths, path)
		known, _ := member.(jsonSchema)
		if reference, _ := known["$ref"].(string); reference == "#/$defs/image" {
			known = part(root, "$defs", "image")
		}
		if path != "certificates.issuerRef" {
			paths = append(paths, schemaPaths(root, known, path)...)
		}
	}
	return paths
}

func without(these, those []string) []string {
	var left []string
	for _, path := range these {
		if !slices.Contains(those, path) {
			left = append(left, path)
		}
	}
	return left
}
