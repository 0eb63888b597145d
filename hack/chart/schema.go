package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"
)

// jsonSchema is a JSON Schema, or a part of one.
type jsonSchema = map[string]any

// ownSettings are the server's settings that the chart writes itself. issuer and
// mtlsBaseURL may be left to it.
var ownSettings = []string{"listeners", "store", "keyEncryptionKeyFile", "users", "issuer", "mtlsBaseURL"}

// writeValuesSchema joins the shape of the chart's values with the server's own
// schema, which describes what stands under config.
func writeValuesSchema(root string) error {
	values, err := readSchema(filepath.Join(root, "hack", "chart", "values.schema.yaml"))
	if err != nil {
		return err
	}
	server, err := readSchema(filepath.Join(root, "authserver", "config", "schema.json"))
	if err != nil {
		return err
	}
	settings := maps.Clone(part(server, "properties"))
	maps.DeleteFunc(settings, func(name string, _ any) bool { return slices.Contains(ownSettings, name) })
	maps.Copy(part(values, "properties", "config", "properties"), settings)
	maps.Copy(part(values, "$defs"), part(server, "$defs"))

	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(values); err != nil {
		return fmt.Errorf("write the schema of the values: %w", err)
	}
	return writeFile(filepath.Join(root, "config", "chart", "values.schema.json"), text.Bytes())
}

func readSchema(path string) (jsonSchema, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a schema: %w", err)
	}
	var read jsonSchema
	if err := yaml.UnmarshalStrict(text, &read); err != nil {
		return nil, fmt.Errorf("read the schema %s: %w", path, err)
	}
	return read, nil
}

// part is the object at the path; nil when there is none.
func part(of jsonSchema, path ...string) jsonSchema {
	for _, member := range path {
		of, _ = of[member].(jsonSchema)
	}
	return of
}
