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
	w.reconciler.Registrar = brittleRegistrar{w.reconciler.Registrar, b}
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

// brittleRegistrar is the real one in a breaker's hands.
type brittleRegistrar struct {
	controllers.Registrar
	breaker *breaker
}

func (r brittleRegistrar) Register(ctx context.Context, clientID string, request registration.Request) (registration.Record, error) {
	return brittle(r.breaker, func() (registration.Record, error) { return r.Registrar.Register(ctx, clientID, request) })
}

func (r brittleRegistrar) Client(ctx context.Context, clientID string) (registration.Record, error) {
	return brittle(r.breaker, func() (registration.Record, error) { return r.Registrar.Client(ctx, clientID) })
}

func (r brittleRegistrar) Server(ctx context.Context) (registration.Replica, error) {
	return brittle(r.breaker, func() (registration.Replica, error) { return r.Registrar.Server(ctx) })
}

func (r brittleRegistrar) Delete(ctx context.Context, clientID string, owner registration.Owner) error {
	return r.breaker.around(func() error { return r.Registrar.Delete(ctx, clientID, owner) }, nil)
}

func brittle[T any](b *breaker, call func() (T, error)) (answer T, err error) {
	err = b.around(func() error {
		answer, err = call()
		return err
	}, nil)
	return answer, err
}
