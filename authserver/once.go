package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// errExists means that a file is there, which is never overwritten.
var errExists = errors.New("it exists already, and is never overwritten: give another path, or move it away")

// createOnce makes a file that only its owner may read. fill writes its content
// into a file beside it, which gets the name when it is whole and on the disk: a
// process that is killed leaves no half of it under that name. errExists when the
// name is taken, whenever somebody else took it.
func createOnce(path string, fill func(unnamed string) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, errExists)
	}
	unnamed, err := newFileBeside(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(unnamed)) }()
	if err := fill(unnamed); err != nil {
		return err
	}
	return name(unnamed, path)
}

// newFileBeside makes an empty file of mode 0600 in the path's directory.
func newFileBeside(path string) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", fmt.Errorf("%w; the directory must exist, and this process must be allowed to write in it", err)
	}
	return file.Name(), file.Close()
}

// name links the file to its name, which unlike renaming it replaces nothing.
func name(unnamed, path string) error {
	err := os.Link(unnamed, path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", path, errExists)
	}
	if err != nil {
		return err
	}
	return flushDirectory(filepath.Dir(path))
}

// flushDirectory has the directory's names on the disk.
func flushDirectory(path string) (err error) {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, directory.Close()) }()
	return directory.Sync()
}
