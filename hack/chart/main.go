// Command chart writes what the Helm chart shares with others, so that each fact
// stands in one place: it copies the generated manifests into the chart, makes
// the schema of its values, and renders it for kustomize into config/default
// and config/uninstall.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "../..", "the repository's `FOLDER`")
	flag.Parse()
	if err := generate(context.Background(), *root); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func generate(ctx context.Context, root string) error {
	config := filepath.Join(root, "config")
	if err := copyManifests(config); err != nil {
		return err
	}
	if err := writeValuesSchema(root); err != nil {
		return err
	}
	return renderForKustomize(ctx, config)
}
