package integration

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/controllers"
)

// breaker has one call of an operator fail, to the API server or to the
// authorization server.
type breaker struct {
	at, calls int
	// done: what was asked for is done, and the answer is lost.
	done bool
	// err is the answer of the API server; nil: errBroken.
	err error
}

var errBroken = errors.New("the call failed")

// place puts the breaker around every call of the operator.
func (b *breaker) place(w *workshop) {
	w.kubeFault = func(_ string, _ client.Object, _ string, do func() error) error { return b.around(do, b.err) }
	around := func(do func() error) error { return b.around(do, nil) }
	w.reconciler.Registrar = disturbedReads{disturbedWrites{w.reconciler.Registrar, around}}
}

func (b *breaker) around(do func() error, answer error) error {
	if b.calls++; b.calls != b.at {
		return do()
	}
	if b.done {
		_ = do() // Whatever it says, nobody hears it.
	}
	if answer == nil {
		answer = errBroken
	}
	return answer
}

// disturbedWrites is the real client of the registration API, with something around
// each of its calls that change something.
type disturbedWrites struct {
	controllers.Registrar
	around func(do func() error) error
}

func (r disturbedWrites) Register(ctx context.Context, clientID string, held int64, request registration.Request) (record registration.Record, err error) {
	err = r.around(func() error {
		record, err = r.Registrar.Register(ctx, clientID, held, request)
		return err
	})
	return record, err
}

func (r disturbedWrites) Delete(ctx context.Context, clientID string, owner registration.Owner) error {
	return r.around(func() error { return r.Registrar.Delete(ctx, clientID, owner) })
}

// disturbedReads has it around the others as well, but for listings.
type disturbedReads struct{ disturbedWrites }

func (r disturbedReads) Client(ctx context.Context, clientID string) (record registration.Record, err error) {
	err = r.around(func() error {
		record, err = r.Registrar.Client(ctx, clientID)
		return err
	})
	return record, err
}

func (r disturbedReads) Server(ctx context.Context) (told registration.Replica, err error) {
	err = r.around(func() error {
		told, err = r.Registrar.Server(ctx)
		return err
	})
	return told, err
}
