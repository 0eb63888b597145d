package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/rs/zerolog"
)

// billOfMaterials lists the modules that are linked into a program, and Go's
// standard library, as CycloneDX JSON. It has no serial number and the commit's
// time, so that it is the same at every build.
func billOfMaterials(binary string, b build) ([]byte, error) {
	generator, err := bin.NewGenerator(binary, bin.WithIncludeStdlib(true), bin.WithLogger(zerolog.Nop()))
	if err != nil {
		return nil, fmt.Errorf("list what %s is made of: %w", binary, err)
	}
	bom, err := generator.Generate()
	if err != nil {
		return nil, fmt.Errorf("list what %s is made of: %w", binary, err)
	}
	bom.Metadata.Timestamp = b.commit.Format(time.RFC3339)
	var file bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&file, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return nil, fmt.Errorf("write the bill of materials: %w", err)
	}
	return file.Bytes(), nil
}
