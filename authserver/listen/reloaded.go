package listen

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// reloadInterval is how often, at most, the files are read again. Our own
// choice: a renewed certificate is in use seconds after it was written, and two
// small reads in ten seconds cost nothing. Contents are compared, not times or
// names, so it does not matter how a file is replaced (a Kubernetes volume swaps
// a symbolic link), and there is no watch that could be lost.
const reloadInterval = 10 * time.Second

// reloaded is a value parsed from files, and parsed again when their contents
// change. Contents that do not parse keep the value before, and are logged once.
type reloaded[T any] struct {
	files []string
	parse func(contents [][]byte) (T, error)
	now   func() time.Time
	log   *slog.Logger

	value atomic.Pointer[T]

	reading sync.Mutex // held by the one caller that looks at the files
	readAt  time.Time
	seen    [sha256.Size]byte // of the contents last parsed, or of the last failure
}

// newReloaded reads the files for the first time; here a failure is an error.
func newReloaded[T any](files []string, parse func([][]byte) (T, error), now func() time.Time, log *slog.Logger) (*reloaded[T], error) {
	r := &reloaded[T]{files: files, parse: parse, now: now, log: log, readAt: now()}
	contents, err := readAll(files)
	if err != nil {
		return nil, err
	}
	value, err := parse(contents)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(files, ", "), err)
	}
	r.value.Store(&value)
	r.seen = digest(contents)
	return r, nil
}

// current gives the value, after a look at the files when one is due. Whoever
// comes while another looks gets the value before, without waiting.
func (r *reloaded[T]) current() T {
	if r.reading.TryLock() {
		if r.now().Sub(r.readAt) >= reloadInterval {
			r.readAgain()
		}
		r.reading.Unlock()
	}
	return *r.value.Load()
}

func (r *reloaded[T]) readAgain() {
	r.readAt = r.now()
	contents, err := readAll(r.files)
	if err != nil {
		r.keep(digest([][]byte{[]byte(err.Error())}), err)
		return
	}
	seen := digest(contents)
	if seen == r.seen {
		return
	}
	value, err := r.parse(contents)
	if err != nil {
		r.keep(seen, err)
		return
	}
	r.seen = seen
	r.value.Store(&value)
	r.log.Info("the files have changed and are in use", "files", r.files)
}

// keep logs a failure, once for as long as it stays the same.
func (r *reloaded[T]) keep(seen [sha256.Size]byte, cause error) {
	if seen == r.seen {
		return
	}
	r.seen = seen
	r.log.Error("the changed files cannot be used; what they held before stays in use", "files", r.files, "cause", cause)
}

func readAll(files []string) ([][]byte, error) {
	contents := make([][]byte, len(files))
	for i, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		contents[i] = content
	}
	return contents, nil
}

func digest(contents [][]byte) [sha256.Size]byte {
	hash := sha256.New()
	for _, content := range contents {
		part := sha256.Sum256(content)
		hash.Write(part[:])
	}
	return [sha256.Size]byte(hash.Sum(nil))
}
