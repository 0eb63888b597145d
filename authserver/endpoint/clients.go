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

// EncryptionKeys gives the client's keys where something is encrypted to them
// with alg, and nil where alg is empty: a jwks_uri that does not answer stops no
// answer that is only signed.
func EncryptionKeys(ctx context.Context, source ClientKeys, client *fapi.Client, alg string) (*jose.KeySet, error) {
	if alg == "" {
		return nil, nil
	}
	return source.ClientKeys(ctx, client)
}
