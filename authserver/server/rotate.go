package server

import (
	"context"
	"errors"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
)

// rotationRound is how often the keys are looked after: far more often than a new
// key waits until it takes over (fapi.KeyTakeover); our own choice.
const rotationRound = time.Minute

// rotation is the policy that the configuration and the lifetimes of what is
// signed and encrypted make together.
func (s *Server) rotation() keys.Policy {
	signed := max(s.config.AccessToken.MaxLifetime, fapi.IDTokenLifetime, fapi.AuthorizationResponseLifetime)
	encrypted := fapi.KeySetMaxAge + fapi.MaxRequestObjectLifetime + fapi.FutureSkew + fapi.PastSkew
	return keys.Policy{
		Interval: s.config.Keys.RotationInterval, Takeover: fapi.KeyTakeover,
		SignatureRetention: signed + s.config.Keys.Overlap, EncryptionRetention: encrypted + s.config.Keys.Overlap,
	}
}

// rotate looks after the server's own keys until ctx ends.
func (s *Server) rotate(ctx context.Context) error {
	ticker := time.NewTicker(rotationRound)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := s.TurnKeys(ctx); err != nil && !errors.Is(err, context.Canceled) {
				s.log.Error("the server's keys could not be looked after; the next round tries again", "error", err)
			}
		}
	}
}

// TurnKeys is one round of looking after the server's own keys. Run makes a round
// every minute.
func (s *Server) TurnKeys(ctx context.Context) error { return s.keys.Turn(ctx) }
