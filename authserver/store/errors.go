package store

import (
	"errors"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

var (
	// ErrNotFound means that there is none, or no longer.
	ErrNotFound = errors.New("not found in the store")
	// ErrAlreadyUsed means that a single-use value was used before.
	ErrAlreadyUsed = errors.New("already used")
	// ErrAlreadyExists means that the identifier is taken.
	ErrAlreadyExists = errors.New("already exists")
	// ErrSessionEnded means that the session whose login was to be taken over is gone.
	ErrSessionEnded = errors.New("the session has ended")
	// ErrTooMany means that there are as many as there may be.
	ErrTooMany = errors.New("there are too many already")
	// ErrPreconditionFailed means that the client is not in the state that the caller has seen.
	ErrPreconditionFailed = errors.New("the client has changed since it was read")
)

// OwnedByAnotherError says whose the client is.
type OwnedByAnotherError struct {
	Owner registration.Owner
}

func (e *OwnedByAnotherError) Error() string {
	return "the client belongs to " + e.Owner.String()
}
