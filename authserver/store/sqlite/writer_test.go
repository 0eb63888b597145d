package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

func keepJTI(jti string) func(transaction) error {
	return func(tx transaction) error {
		_, err := tx.exec(revokeAccessToken, jti, 1)
		return err
	}
}

func kept(t *testing.T, s *Store, jti string) bool {
	t.Helper()
	active, err := s.AccessTokenActive(t.Context(), jti, "")
	must(t, err)
	return !active
}

func changes(apply ...func(transaction) error) []*change {
	var group []*change
	for _, f := range apply {
		group = append(group, &change{apply: f, result: make(chan error, 1)})
	}
	return group
}

func TestARefusedChangeIsUndoneAlone(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	refusal := errors.New("refused")
	refusals, broken := s.writer.transact(changes(
		keepJTI("first"),
		func(tx transaction) error { return errors.Join(keepJTI("refused")(tx), refusal) },
		keepJTI("last"),
	))
	must(t, broken)
	if refusals[0] != nil || !errors.Is(refusals[1], refusal) || refusals[2] != nil {
		t.Errorf("got %v, want the second refused", refusals)
	}
	for jti, want := range map[string]bool{"first": true, "refused": false, "last": true} {
		if kept(t, s, jti) != want {
			t.Errorf("%s: kept is %t, want %t", jti, !want, want)
		}
	}
}

func TestABrokenTransactionFailsTheWholeGroup(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	// What SQLite does by itself when the disk is full.
	breaks := func(tx transaction) error {
		_, err := tx.exec("ROLLBACK")
		return errors.Join(errors.New("disk full"), err)
	}
	group := changes(keepJTI("first"), breaks, keepJTI("last"))
	s.writer.commit(group)
	for i, c := range group {
		if err := <-c.result; err == nil {
			t.Errorf("change %d was acknowledged", i)
		}
	}
	if kept(t, s, "first") || kept(t, s, "last") {
		t.Error("a change of the broken group was kept")
	}
	must(t, s.writer.do(t.Context(), keepJTI("afterwards")))
	if !kept(t, s, "afterwards") {
		t.Error("the writer does not work after a broken transaction")
	}
}

func TestCloseKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/store.db"
	s := openAt(t, path)
	var acknowledged [64]atomic.Bool
	var running, begun sync.WaitGroup
	begun.Add(1)
	for i := range acknowledged {
		running.Go(func() {
			begun.Wait()
			err := s.writer.do(context.Background(), keepJTI(fmt.Sprint(i)))
			if err != nil && !errors.Is(err, errClosed) {
				t.Error(err)
			}
			acknowledged[i].Store(err == nil)
		})
	}
	begun.Done()
	must(t, s.Close())
	running.Wait()
	must(t, s.Close())
	if err := s.PushRequest(t.Context(), store.PushedRequest{}); !errors.Is(err, errClosed) {
		t.Errorf("a closed store gave %v", err)
	}
	s = openAt(t, path)
	for i := range acknowledged {
		if kept(t, s, fmt.Sprint(i)) != acknowledged[i].Load() {
			t.Errorf("change %d: acknowledged is %t, kept is not", i, acknowledged[i].Load())
		}
	}
}

func TestACallerThatHasGoneChangesNothing(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	hold, held := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- s.writer.do(context.Background(), func(transaction) error {
			close(held)
			<-hold
			return nil
		})
	}()
	<-held
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := s.UseOnce(gone, store.SpaceDPoPProof, oauth.Digest{1}, now); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(hold)
	must(t, <-first)
	if fresh, err := s.UseOnce(t.Context(), store.SpaceDPoPProof, oauth.Digest{1}, now); err != nil || !fresh {
		t.Errorf("fresh is %t (%v): the caller that had gone used the value", fresh, err)
	}
}
