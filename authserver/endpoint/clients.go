package endpoint

import (
	"context"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// Clients gives admitted clients. There being none is store.ErrNotFound.
type Clients interface {
	Client(ctx context.Context, clientID string) (*fapi.Client, error)
}

// ClientKeys gives a client's keys, wherever they are registered.
type ClientKeys interface {
	ClientKeys(ctx context.Context, client *fapi.Client) (*jose.KeySet, error)
}
