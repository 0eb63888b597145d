package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

// deleteExpired has a statement for each class of record that expires. What
// hangs on others goes first, so that each statement counts its own rows.
var deleteExpired = []string{
	deleteExpiredFrom("interactions", "expires_at"),
	deleteExpiredFrom("pushed_requests", "kept_until"),
	deleteExpiredFrom("sessions", "expires_at"),
	deleteExpiredFrom("codes", "expires_at"),
	deleteExpiredFrom("refresh_tokens", "expires_at"),
	deleteExpiredFrom("grants", "expires_at"),
	deleteExpiredFrom("revoked_access_tokens", "expires_at"),
	deleteExpiredFrom("single_use", "expires_at"),
}

func deleteExpiredFrom(table, column string) string {
	return fmt.Sprintf(`DELETE FROM %[1]s WHERE rowid IN (SELECT rowid FROM %[1]s WHERE %[2]s < ? ORDER BY %[2]s LIMIT ?)`, table, column)
}

// DeleteExpired removes what has expired; see store.Store. Each class has its
// own change, so that requests are served between them.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := checkBatch(limit); err != nil {
		return 0, fmt.Errorf("delete expired records: %w", err)
	}
	total := 0
	for _, statement := range deleteExpired {
		err := s.writer.do(ctx, func(tx transaction) error {
			deleted, err := tx.exec(statement, column.Micros(now), limit)
			total += int(deleted)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("delete expired records: %w", err)
		}
	}
	return total, nil
}
