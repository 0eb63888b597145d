package faults

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// registrations change clients as the operator does, and look whether each change
// that was acknowledged is in force.
type registrations struct {
	*worker
	registrar interface {
		Register(ctx context.Context, clientID string, held int64, request registration.Request) (registration.Record, error)
		Delete(ctx context.Context, clientID string, owner registration.Owner) error
	}
	clients []*changing
}

// changing is a client whose registration changes.
type changing struct {
	*fapitest.Registered
	// served: the last change that was acknowledged lets it ask.
	served bool
}

func (r *registrations) work(ctx context.Context, stopping <-chan struct{}) {
	for ctx.Err() == nil {
		select {
		case <-stopping:
			return
		default:
		}
		client := r.clients[rand.IntN(len(r.clients))]
		r.change(ctx, client)
		r.look(ctx, client)
	}
}

// change registers, suspends or deletes the client.
func (r *registrations) change(ctx context.Context, client *changing) {
	owner := registration.Owner{Installation: "test", Namespace: "bank", Name: client.ClientID}
	choice := rand.IntN(3)
	err := r.acknowledged(ctx, func() error {
		if choice == 0 {
			err := r.registrar.Delete(ctx, client.ClientID, owner)
			if errors.Is(err, registration.ErrNotFound) {
				return nil
			}
			return err
		}
		metadata := client.Metadata
		metadata.Suspended = new(choice == 1)
		_, err := r.registrar.Register(ctx, client.ClientID, registration.NoRevision, registration.Request{Owner: owner, Generation: 1, Metadata: metadata})
		return err
	})
	if err != nil {
		return
	}
	client.served = choice == 2
}

// acknowledged makes the call until it succeeds: none of the operator's calls here
// is one that the server may refuse.
func (r *registrations) acknowledged(ctx context.Context, call func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := call()
		if err == nil {
			r.ledger.answered()
			return nil
		}
		if _, rejected := errors.AsType[*registration.RejectedError](err); rejected || ctx.Err() != nil {
			r.ledger.lose("the right to register", err)
			return err
		}
		r.ledger.cut()
		r.service.await(ctx)
	}
}

// look has the client ask for something.
func (r *registrations) look(ctx context.Context, client *changing) {
	_, err := r.answer(ctx, func() error { _, err := client.Push(ctx, client.NewAuthorization()); return err })
	if ctx.Err() != nil {
		return
	}
	r.ledger.checked()
	switch {
	case client.served && err != nil:
		r.ledger.lose("a registration", err)
	case !client.served && err == nil:
		r.ledger.lose("a suspension or deletion", errors.New("the client is served"))
	}
}

func (r *registrations) lookAtAll(ctx context.Context) {
	for _, client := range r.clients {
		r.look(ctx, client)
	}
}
