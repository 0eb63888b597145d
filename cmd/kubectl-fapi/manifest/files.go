package manifest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Stdin is the path that stands for the standard input.
const Stdin = "-"

// extensions are those of the files that are read in a folder, as kubectl has them.
var extensions = []string{".json", ".yaml", ".yml"}

// Load reads files, folders (with those below them if it is recursive) and the
// standard input.
func Load(paths []string, recursive bool, stdin io.Reader) ([]Document, error) {
	var documents []Document
	for _, path := range paths {
		if path == Stdin {
			content, err := io.ReadAll(stdin)
			if err != nil {
				return nil, fmt.Errorf("read the standard input: %w", err)
			}
			documents = append(documents, Read("stdin", content)...)
			continue
		}
		files, err := list(path, recursive)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			documents = append(documents, Read(file, content)...)
		}
	}
	return documents, nil
}

// list is the path itself, whatever its name, or the manifests in a folder.
func list(path string, recursive bool) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(entry string, info fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case info.IsDir() && entry != path && !recursive:
			return fs.SkipDir
		case !info.IsDir() && (entry == path || slices.Contains(extensions, filepath.Ext(entry))):
			files = append(files, entry)
		}
		return nil
	})
	return files, err
}
