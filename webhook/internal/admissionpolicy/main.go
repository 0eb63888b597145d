// Command admissionpolicy writes a ValidatingAdmissionPolicy with the rules of
// registration that CEL can say, made from the conditions of the rule book. It
// matches what the webhook matches, whose manifest is its first argument; the
// second is the file to write.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: admissionpolicy WEBHOOK-MANIFEST FILE")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "write the admission policy: %v\n", err)
		os.Exit(1)
	}
}

func write(webhookManifest, file string) error {
	manifest, err := os.ReadFile(webhookManifest)
	if err != nil {
		return err
	}
	document, err := document(manifest)
	if err != nil {
		return err
	}
	return os.WriteFile(file, document, 0o644)
}
