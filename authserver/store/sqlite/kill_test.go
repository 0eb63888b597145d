package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// childVariable makes the test binary a server process that is going to be killed.
const childVariable = "FAPI_OPERATOR_TEST_STORE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		if err := redeemUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	killedCodes = 400
	killedUsers = 16
	killRounds  = 4
)

func killedCode(i int) oauth.Digest { return oauth.SecretFrom("code " + strconv.Itoa(i)).Digest() }

func killedJTI(i int) oauth.Digest { return oauth.SecretFrom("jti " + strconv.Itoa(i)).Digest() }

// redeemUntilKilled tries every code from many goroutines, and prints a line for
// each redemption and each use once the store has acknowledged it.
func redeemUntilKilled(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, path)
	if err != nil {
		return err
	}
	errs := make([]error, killedUsers)
	var users sync.WaitGroup
	for user := range killedUsers {
		users.Go(func() {
			for i := user; i < killedCodes && errs[user] == nil; i += killedUsers {
				errs[user] = redeemAndTell(ctx, s, i)
			}
		})
	}
	users.Wait()
	return errors.Join(append(errs, s.Close())...)
}

func redeemAndTell(ctx context.Context, s *Store, i int) error {
	fresh, err := s.UseOnce(ctx, store.SpaceClientAssertion, killedJTI(i), now)
	if err != nil {
		return err
	}
	if fresh {
		fmt.Printf("used %d\n", i)
	}
	err = s.RedeemCode(ctx, killedCode(i), nil, now)
	if err == nil {
		fmt.Printf("redeemed %d\n", i)
	}
	if errors.Is(err, store.ErrAlreadyUsed) {
		return nil
	}
	return err
}

// TestKill9 kills a server process in the middle of its writes, again and again.
func TestKill9(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	registerClient(t, s)
	var work sync.WaitGroup
	for worker := range killedUsers {
		work.Go(func() {
			for i := worker; i < killedCodes; i += killedUsers {
				completeGrant(t, s, strconv.Itoa(i), killedCode(i))
			}
		})
	}
	work.Wait()
	must(t, s.Close())

	acknowledged := map[string]int{}
	for round := range killRounds {
		lines := runAndKill(t, path, 40+17*round)
		for _, line := range lines {
			acknowledged[line]++
			if acknowledged[line] > 1 {
				t.Errorf("round %d: %s for the second time", round, line)
			}
		}
		t.Logf("round %d: %d acknowledged before the end", round, len(lines))
	}
	checkAcknowledged(t, openAt(t, path), acknowledged)
}

// runAndKill kills the process with SIGKILL once it has printed so many lines,
// and gives all that it printed.
func runAndKill(t *testing.T, path string, after int) []string {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+path)
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	var lines []string
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
		if len(lines) == after {
			must(t, child.Process.Kill())
		}
	}
	must(t, scanner.Err())
	if err := child.Wait(); err == nil || len(lines) < after {
		t.Fatalf("the process ended by itself (%v) after %d lines; it was to be killed in the middle", err, len(lines))
	}
	return lines
}

func checkAcknowledged(t *testing.T, s *Store, acknowledged map[string]int) {
	t.Helper()
	for line := range acknowledged {
		what, number, _ := strings.Cut(line, " ")
		i, err := strconv.Atoi(number)
		must(t, err)
		if what == "used" {
			if fresh, err := s.UseOnce(t.Context(), store.SpaceClientAssertion, killedJTI(i), now); err != nil || fresh {
				t.Errorf("%s was acknowledged and lost: fresh is %t (%v)", line, fresh, err)
			}
			continue
		}
		if err := s.RedeemCode(t.Context(), killedCode(i), nil, now); !errors.Is(err, store.ErrAlreadyUsed) {
			t.Errorf("%s was acknowledged and lost: %v", line, err)
		}
	}
}
