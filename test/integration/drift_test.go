package integration

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Counted at the API server and at the store, over several comparisons with the server.
func TestSteadyStateWritesNothing(t *testing.T) {
	t.Parallel()
	b := openComparingBank(t)
	b.create(t, "planner", dpopSpec)
	before := b.awaitReady(t, "planner")
	revision := b.server.revision(t)

	b.awaitComparisons(t, 3)
	if after := b.get(t, "planner"); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("the application was written to: %s, was %s", after.ResourceVersion, before.ResourceVersion)
	}
	if got := b.server.revision(t); got != revision || b.server.faults.count(registerClient) != 1 {
		t.Errorf("the store went from revision %d to %d in %d registrations", revision, got, b.server.faults.count(registerClient))
	}
}

// awaitComparisons waits until the operator has compared its registrations with
// the server n times more.
func (b *bank) awaitComparisons(t *testing.T, n int) {
	t.Helper()
	seen := b.server.faults.lists()
	b.eventually(t, "comparisons with the server", func(context.Context) error {
		if got := b.server.faults.lists() - seen; got < n {
			return fmt.Errorf("%d so far", got)
		}
		return nil
	})
}

// An operator that starts with applications present compares all of them by one
// listing; it reads none by itself, and writes nothing.
func TestRestartedOperatorReadsOneListingAndWritesNothing(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	before := b.createReady(t, 12)
	revision := b.server.revision(t)
	b.stop()
	reads, lists := b.server.faults.count(readClient), b.server.faults.lists()
	b.startOperator(t)
	b.create(t, "witness", dpopSpec)
	b.awaitReady(t, "witness")
	b.stop() // what is at work is finished
	if got := b.server.faults.lists() - lists; got != 1 {
		t.Errorf("the server was listed in %d pages, want 1", got)
	}
	if got := b.server.faults.count(readClient) - reads; got != 0 {
		t.Errorf("%d clients were read, want none: by the listing, the witness's is new", got)
	}
	for _, application := range before {
		if after := b.get(t, application.Name); after.ResourceVersion != application.ResourceVersion {
			t.Errorf("application %s was written to: %+v", after.Name, after.Status.Conditions)
		}
	}
	if got := b.server.revision(t); got != revision+1 {
		t.Errorf("the store went from revision %d to %d, want the witness alone", revision, got)
	}
}

// createReady makes applications and waits for all of them.
func (b *bank) createReady(t *testing.T, n int) []*v1alpha1.FAPIApplication {
	t.Helper()
	ready := make([]*v1alpha1.FAPIApplication, n)
	for i := range ready {
		b.create(t, fmt.Sprintf("app-%d", i), dpopSpec)
	}
	for i := range ready {
		ready[i] = b.awaitReady(t, fmt.Sprintf("app-%d", i))
	}
	return ready
}

// The store is lost, and nobody touches an application: a glance at the server's
// revision tells, long before the next resync.
func TestServerThatLostItsStoreGetsEverythingBackAtOnce(t *testing.T) {
	t.Parallel()
	b := openBank(t) // with a resync of an hour
	applications := b.createReady(t, 12)
	for _, application := range applications {
		if err := b.server.store.DeleteClient(t.Context(), application.Status.ClientID, ownerOf(b.namespace, application.Name), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for _, application := range applications {
		b.eventually(t, "the client is registered again, and its status says so", func(context.Context) error {
			record, err := b.server.client(t, application.Status.ClientID)
			if err == nil && b.get(t, application.Name).Status.Registration.Revision != record.Revision {
				err = errNotYet
			}
			return err
		})
	}
}

// Only a proven absence is one: nothing is registered again because a listing or a
// read failed, and what was true stays written.
func TestFailedComparisonRegistersNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"401", "403", "404 of a proxy", "500", "connection cut"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openComparingBank(t)
			b.create(t, "planner", dpopSpec)
			before := b.awaitReady(t, "planner")
			b.server.faults.set(serverFaults[name])
			b.awaitComparisons(t, 2)
			b.server.faults.set(everyOther(serverFaults[name]))
			b.awaitComparisons(t, 4)
			b.server.faults.set(nil)
			b.awaitComparisons(t, 2)
			if after := b.get(t, "planner"); after.ResourceVersion != before.ResourceVersion {
				t.Errorf("the application was written to: %+v", after.Status.Conditions)
			}
			if got := b.server.faults.count(registerClient); got != 1 {
				t.Errorf("the client was registered %d times", got)
			}
		})
	}
}

// The listing lacks a client, and the server does not confirm it: it is not ready,
// and not registered either until the server does.
func TestAbsenceIsProvenBeforeAClientIsRegisteredAgain(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"401", "403", "404 of a proxy", "500", "connection cut"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openComparingBank(t)
			b.create(t, "planner", dpopSpec)
			b.awaitReady(t, "planner")
			b.server.faults.set(onClients(serverFaults[name]))
			if err := b.server.store.DeleteClient(t.Context(), b.namespace+".planner", ownerOf(b.namespace, "planner"), time.Now()); err != nil {
				t.Fatal(err)
			}
			b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonServerUnavailable)
			if got := b.server.faults.count(registerClient); got != 1 {
				t.Errorf("the client was registered %d times while nothing proved that it was gone", got)
			}
			b.server.faults.set(nil)
			b.awaitReady(t, "planner")
			b.requireClient(t, b.namespace+".planner")
		})
	}
}

func TestRegistrationThatVanishedIsMadeAgain(t *testing.T) {
	t.Parallel()
	b := openComparingBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	clientID := b.namespace + ".planner"
	if err := b.server.store.DeleteClient(t.Context(), clientID, ownerOf(b.namespace, "planner"), time.Now()); err != nil {
		t.Fatal(err)
	}
	b.eventually(t, "the client is registered again", func(context.Context) error {
		_, err := b.server.client(t, clientID)
		return err
	})
}

func TestRegistrationThatDriftedIsPutRight(t *testing.T) {
	t.Parallel()
	b := openComparingBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	record, err := b.server.client(t, b.namespace+".planner")
	if err != nil {
		t.Fatal(err)
	}
	drifted := record.Metadata
	drifted.RedirectURIs = []string{"https://elsewhere.example.com/callback"}
	if _, _, err := b.server.store.PutClient(t.Context(), store.ClientWrite{Owner: record.Owner, Generation: record.Generation, Metadata: drifted, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	b.eventually(t, "the registration is as the spec means it", func(context.Context) error {
		if now, err := b.server.client(t, b.namespace+".planner"); err != nil || now.ContentHash != record.ContentHash {
			return errors.Join(errNotYet, err)
		}
		return nil
	})
}

// The listing has more pages than one, and the clients of others are in the way.
func TestAClientAmongAThousandIsFoundWhenItIsGoneAndWhenItShallGo(t *testing.T) {
	t.Parallel()
	const others = 1100 // Three pages.
	b := openBranch(t, fapi.Limits{})
	b.resync = time.Second
	for i := range others {
		b.putOthersClient(t, fmt.Sprintf("a-team.app-%d", i)) // Before ours, in the order of the listing.
	}
	b.startOperator(t)
	applications := b.createReady(t, 2)
	if lists := b.server.faults.lists(); lists < 3 {
		t.Errorf("the server was listed in %d pages, want 3 at least", lists)
	}

	stays, goes := applications[0], applications[1]
	if err := b.server.store.DeleteClient(t.Context(), stays.Status.ClientID, ownerOf(b.namespace, stays.Name), time.Now()); err != nil {
		t.Fatal(err)
	}
	b.eventually(t, "the client on the last page is registered again", func(context.Context) error {
		_, err := b.server.client(t, stays.Status.ClientID)
		return err
	})
	if err := b.kube.Delete(t.Context(), goes); err != nil {
		t.Fatal(err)
	}
	b.awaitGone(t, goes.Name)
	held, err := b.server.store.ListClients(t.Context(), registration.Installations{Any: true}, "", 2*others)
	if err != nil {
		t.Fatal(err)
	}
	if len(held) != others+1 || held[others].Metadata.ClientID != stays.Status.ClientID {
		t.Errorf("the server holds %d clients, want those of others and %s", len(held), stays.Status.ClientID)
	}
}

// putOthersClient has the server hold a client of another installation.
func (b *bank) putOthersClient(t *testing.T, clientID string) {
	t.Helper()
	b.keepFor(t, registration.Owner{Installation: "another", Namespace: "team", Name: clientID},
		registration.Metadata{ClientID: clientID, RedirectURIs: []string{"https://app.example.com/callback"}})
}
