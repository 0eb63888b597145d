package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

// A row changes when it is new, or when this call made it in a try before.
const useOnce = `INSERT INTO single_use (space, value, expires_at, used_by) VALUES ($1, $2, $3, $4)
	ON CONFLICT (space, value) DO UPDATE SET used_by = excluded.used_by WHERE single_use.used_by = excluded.used_by`

// UseOnce records a value that may be used once; see store.SingleUse. When the
// answer is lost the next try finds the row that this call made, so that a first
// use is not taken for a replay.
func (s *Store) UseOnce(ctx context.Context, space store.Space, value oauth.Digest, expiresAt time.Time) (fresh bool, err error) {
	changed, err := s.exec(ctx, useOnce, string(space), value[:], column.Micros(expiresAt), newCall())
	if err != nil {
		return false, fmt.Errorf("record %s as used: %w", space, err)
	}
	return changed == 1, nil
}
