package server

import (
	"context"
	"errors"
	"time"
)

// Expired rows go away by themselves, a batch at a time so that no request
// waits long behind one; our own choices.
const (
	expiryInterval = time.Minute
	expiryBatch    = 500 // rows of each class
	// Replicas share rows: one whose clock is ahead must not forget a jti while
	// another still takes its JWT. So far may clocks differ.
	expiryDelay = time.Minute
)

// expire removes expired rows until ctx ends.
func (s *Server) expire(ctx context.Context) error {
	ticker := time.NewTicker(expiryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.expireAll(ctx)
		}
	}
}

func (s *Server) expireAll(ctx context.Context) {
	for {
		removed, err := s.store.DeleteExpired(ctx, s.now().Add(-expiryDelay), expiryBatch)
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				s.log.Error("expired rows could not be removed; the next round tries again", "error", err)
			}
			return
		}
		if removed == 0 {
			return
		}
		s.log.Debug("expired rows removed", "rows", removed)
	}
}
