package sqlite

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// fullDiskVariable makes the test a process whose files may not grow as they like.
const fullDiskVariable = "FAPI_OPERATOR_TEST_FULL_DISK"

// TestAFullDisk: the system refuses to let the log, then the database file, grow.
// Every change is refused, what was acknowledged stays, reading goes on, and so
// does everything once there is space again. The limit is the kernel's, for the
// whole process, so the test has one of its own.
func TestAFullDisk(t *testing.T) {
	if os.Getenv(fullDiskVariable) == "" {
		t.Parallel()
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAFullDisk$", "-test.v")
		child.Env = append(os.Environ(), fullDiskVariable+"=1")
		output, err := child.CombinedOutput()
		t.Logf("%s", output)
		must(t, err)
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // Then the write fails, as on a full disk.
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	registerClient(t, s)
	kept := 0
	for _, limit := range []uint64{1 << 20, 6 << 20} { // The log is emptied into the file at 4 MiB.
		limitFiles(t, limit)
		for pushLarge(t, s, kept) == nil {
			kept++
		}
		refusal := pushLarge(t, s, kept)
		if refusal == nil || errors.Is(refusal, store.ErrNotFound) || errors.Is(refusal, store.ErrAlreadyExists) {
			t.Errorf("on a full disk a request gave %v", refusal)
		}
		if _, err := s.Client(t.Context(), "web"); err != nil {
			t.Errorf("on a full disk: %v", err)
		}
		t.Logf("files of up to %d bytes: %d requests, then: %v", limit, kept, refusal)
		limitFiles(t, math.MaxUint64)
		must(t, pushLarge(t, s, kept)) // What was refused has left nothing.
		kept++
	}
	must(t, s.Close())
	again := openAt(t, path)
	for i := range kept {
		if _, err := again.PushedRequest(t.Context(), digestOf(int64(i)), "web", now); err != nil {
			t.Fatalf("request %d was acknowledged and lost: %v", i, err)
		}
	}
	must(t, again.CheckIntegrity(t.Context()))
}

// pushLarge keeps a request of 32 KiB.
func pushLarge(t *testing.T, s *Store, i int) error {
	t.Helper()
	request := store.AuthorizationRequest{ClientID: "web", State: strings.Repeat("x", 32<<10)}
	return s.PushRequest(t.Context(), store.PushedRequest{URI: digestOf(int64(i)), Request: request, ExpiresAt: now.Add(time.Minute)})
}

// limitFiles lets no file of this process grow beyond so many bytes.
func limitFiles(t *testing.T, bytes uint64) {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	limit.Cur = min(bytes, limit.Max)
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
}
