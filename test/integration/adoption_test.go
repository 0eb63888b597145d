package integration

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Nobody's client changes hands unless an administrator's policy and the application
// both name its owner.
func TestAClientIsTakenOverByPolicyAndAnnotationAlone(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	clientID := b.namespace + ".planner"
	previous := registration.Owner{Installation: "old-cluster", Namespace: "bank", Name: "planner"}
	b.keepFor(t, previous, registration.Metadata{ClientID: clientID})
	b.create(t, "planner", dpopSpec)
	b.awaitOwnership(t, "planner", "take it over")
	b.annotate(t, "planner", v1alpha1.AdoptFromAnnotation, "old-cluster/bank/other")
	b.awaitOwnership(t, "planner", "names another owner")
	b.annotate(t, "planner", v1alpha1.AdoptFromAnnotation, previous.String())
	b.awaitOwnership(t, "planner", "no FAPIPolicy")
	b.requireOwner(t, clientID, previous)

	b.bound(t, v1alpha1.FAPIPolicySpec{AdoptableOwners: []string{"old-cluster/bank/*"}})
	b.awaitReady(t, "planner")
	b.awaitEvent(t, "planner", "Adopted")
	b.requireOwner(t, clientID, ownerOf(b.namespace, "planner"))
}

// keepFor has the server hold the client for the owner.
func (b *bank) keepFor(t *testing.T, owner registration.Owner, metadata registration.Metadata) {
	t.Helper()
	if _, _, err := b.server.store.PutClient(t.Context(), store.ClientWrite{Owner: owner, Generation: 7, Metadata: metadata, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

// awaitOwnership waits until the status says that the client is somebody else's, and
// what about the annotation.
func (b *bank) awaitOwnership(t *testing.T, name, said string) {
	t.Helper()
	b.eventually(t, "the message says: "+said, func(context.Context) error {
		if message := messageOf(b.get(t, name), v1alpha1.ConditionRegistered); !strings.Contains(message, said) {
			return errors.New(message)
		}
		return nil
	})
}

func (b *bank) requireOwner(t *testing.T, clientID string, owner registration.Owner) {
	t.Helper()
	if record, err := b.server.client(t, clientID); err != nil || record.Owner != owner {
		t.Errorf("client %s is %s's (%v), want %s", clientID, record.Owner, err, owner)
	}
}
