package endpoint

import (
	"context"
	"errors"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// ActiveTokens tells whether access tokens of the server's own are still good:
// neither they nor their grants were revoked, their clients were neither suspended
// nor registered anew since, and their clients and persons may still act.
type ActiveTokens struct {
	// KnowsPerson tells whether the subject is still a person who may log in.
	KnowsPerson func(subject string) bool
	Grants      store.Grants
	Clients     Clients
}

// Active implements resource.Revocation.
func (a *ActiveTokens) Active(ctx context.Context, _ string, access token.AccessToken) (bool, error) {
	client, err := a.Clients.Client(ctx, access.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil || client.Suspended() || access.ClientEpoch != client.Epoch() || access.GrantID != "" && !a.KnowsPerson(access.Subject) {
		return false, err
	}
	return a.Grants.AccessTokenActive(ctx, access.ID, access.GrantID)
}
