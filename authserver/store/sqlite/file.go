package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
)

// fileMode of the files that are made here. SQLite gives the -wal and -shm
// files the database's mode. The mode of a file that exists is left alone: on a
// volume with an fsGroup it is the platform's.
const fileMode = 0o600

// fileHeader starts every SQLite database (https://www.sqlite.org/fileformat.html, 1.3.1).
var fileHeader = []byte("SQLite format 3\x00")

// ErrNotOurs means that the file is something else than a database of this server.
var ErrNotOurs = errors.New("the file is not a database of this server, and was left as it was: give another path, or move the file away")

// resolve follows symbolic links, so that two names of one database share one lock.
func resolve(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return filepath.Abs(path)
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(resolved)
}

// prepareFile makes the file if there is none, and refuses one that is not a
// database. It must run before SQLite has the file open: closing a descriptor
// drops the process's locks on the file (https://www.sqlite.org/howtocorrupt.html, 2.2).
func prepareFile(path string) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return fmt.Errorf("%w; the database must be a regular file that this process may read and write", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return ErrNotOurs
	}
	return checkHeader(file)
}

func checkHeader(file io.Reader) error {
	header := make([]byte, len(fileHeader))
	n, err := io.ReadFull(file, header)
	if errors.Is(err, io.EOF) {
		return nil // An empty file is an empty database.
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if !bytes.Equal(header[:n], fileHeader) {
		return ErrNotOurs
	}
	return nil
}

// dataSource names the file to the driver. Every connection gets the pragmas.
func dataSource(path string, pragmas ...string) string {
	query := url.Values{"_pragma": append([]string{
		"busy_timeout(10000)", // milliseconds; only a backup tool can make us wait
		"foreign_keys(1)",
		"trusted_schema(0)",
		"temp_store(2)", // memory: beside the database's own folder, all may be read-only (https://www.sqlite.org/tempfiles.html)
		"cache_size(-" + strconv.Itoa(cacheKiB) + ")",
	}, pragmas...)}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}).String()
}

// cacheKiB is each connection's page cache.
const cacheKiB = 16 << 10
