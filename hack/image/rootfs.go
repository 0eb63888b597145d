package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	// certificatesFile is where Go looks for authorities first on Linux (crypto/x509, root_linux.go).
	certificatesFile = "etc/ssl/certs/ca-certificates.crt"

	// zonesFolder is where Go looks for time zones first (time, zoneinfo_unix.go).
	zonesFolder = "usr/share/zoneinfo"

	passwdFile = "etc/passwd"
	groupFile  = "etc/group"
)

// sbomFile lists what a program is made of; scanners of images know it by its ending.
func (p program) sbomFile() string { return "usr/share/sbom/" + p.name + ".cdx.json" }

const (
	passwd = "root:x:0:0:root:/:/\nfapi-operator:x:65532:65532:fapi-operator:/:/\n"
	group  = "root:x:0:\nfapi-operator:x:65532:\n"
)

// writeRootFS makes the file system of a program's image below dir, which must be
// empty or absent. No file is younger or older than the commit, and nobody but
// root may change one.
func writeRootFS(ctx context.Context, checkout string, p program, architecture, dir string) (build, error) {
	if err := requireEmpty(dir); err != nil {
		return build{}, err
	}
	binary := filepath.Join(dir, p.name)
	b, err := compile(ctx, checkout, p, architecture, binary)
	if err != nil {
		return build{}, err
	}
	files, err := dataFiles(ctx, p, binary, b)
	if err != nil {
		return build{}, err
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(dir, name), content); err != nil {
			return build{}, err
		}
	}
	return b, settle(dir, binary, b.commit)
}

func requireEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty; name a folder that is, or is absent", dir)
	}
	return nil
}

// dataFiles are all files of the image beside the program itself, by their path.
func dataFiles(ctx context.Context, p program, binary string, b build) (map[string][]byte, error) {
	files, err := timeZones(ctx)
	if err != nil {
		return nil, err
	}
	if files[p.sbomFile()], err = billOfMaterials(binary, b); err != nil {
		return nil, err
	}
	files[certificatesFile] = certificates()
	files[passwdFile] = []byte(passwd)
	files[groupFile] = []byte(group)
	return files, nil
}

// certificates are the authorities that Mozilla trusts, as PEM. One that Mozilla
// trusts with a constraint is left out, since PEM can't carry the constraint.
func certificates() []byte {
	var file bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&file, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // A buffer takes everything.
		}
	}
	return file.Bytes()
}

// timeZones are those of the Go that compiles.
func timeZones(ctx context.Context) (map[string][]byte, error) {
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("ask go for GOROOT: %w", err)
	}
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(goroot)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return nil, fmt.Errorf("read Go's time zones: %w", err)
	}
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, fmt.Errorf("read Go's time zones: %w", err)
	}
	zones := make(map[string][]byte, len(archive.File))
	for _, entry := range archive.File {
		if entry.FileInfo().IsDir() {
			continue
		}
		if zones[zonesFolder+"/"+entry.Name], err = unzip(entry); err != nil {
			return nil, fmt.Errorf("read Go's time zone %s: %w", entry.Name, err)
		}
	}
	return zones, nil
}

func unzip(entry *zip.File) ([]byte, error) {
	content, err := entry.Open()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(content)
}

func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// settle gives everything below dir its mode, whatever the umask, and its time.
// Nothing but executable may be executed.
func settle(dir, executable string, modified time.Time) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if entry.IsDir() || path == executable {
			mode = 0o755
		}
		return errors.Join(os.Chmod(path, mode), os.Chtimes(path, modified, modified))
	})
}
