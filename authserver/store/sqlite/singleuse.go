package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const useOnce = `INSERT INTO single_use (space, value, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`

// UseOnce records a value that may be used once; see store.SingleUse.
func (s *Store) UseOnce(ctx context.Context, space store.Space, value oauth.Digest, expiresAt time.Time) (fresh bool, err error) {
	err = s.writer.do(ctx, func(tx transaction) error {
		inserted, err := tx.exec(useOnce, string(space), value[:], column.Micros(expiresAt))
		fresh = inserted == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("record %s as used: %w", space, err)
	}
	return fresh, nil
}
