package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

// deleteExpired has a statement for each class of record that expires. What
// hangs on others goes first, and takes them with it in the same round.
var deleteExpired = []string{
	deleteExpiredFrom("interactions", "id", "expires_at"),
	deleteExpiredFrom("pushed_requests", "uri", "kept_until", "interactions.request_uri"),
	deleteExpiredFrom("sessions", "id", "expires_at"),
	deleteExpiredFrom("codes", "digest", "expires_at"),
	deleteExpiredFrom("refresh_tokens", "digest", "expires_at"),
	deleteExpiredFrom("grants", "id", "expires_at", "codes.grant_id", "refresh_tokens.grant_id"),
	deleteExpiredFrom("revoked_access_tokens", "jti", "expires_at"),
	deleteExpiredFrom("single_use", "space, value", "expires_at"),
}

// Rows that are locked are left to whoever has locked them: another replica that
// deletes, or a request that prolongs the row's life. A row on which another hangs
// is left for the same reason: somebody may be deleting that one, and to delete
// both would wait for it. hanging are table.column; each is looked up row by row,
// while NOT EXISTS may become a join that reads the whole table.
func deleteExpiredFrom(table, key, expiry string, hanging ...string) string {
	alone := ""
	for _, reference := range hanging {
		child, _, _ := strings.Cut(reference, ".")
		alone += fmt.Sprintf(" AND (SELECT 1 FROM %s WHERE %s = %s.%s LIMIT 1) IS NULL", child, reference, table, key)
	}
	return fmt.Sprintf(`DELETE FROM %[1]s WHERE (%[2]s) IN
		(SELECT %[2]s FROM %[1]s WHERE %[3]s < $1%[4]s ORDER BY %[3]s LIMIT $2 FOR UPDATE SKIP LOCKED)`, table, key, expiry, alone)
}

// DeleteExpired removes what has expired; see store.Store. Every replica does so:
// each takes rows that no other one has and waits for none, so nobody needs to be
// elected, and nothing is missed when the elected one dies. After a lost answer
// less is counted than was removed.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	if limit < 1 {
		return 0, fmt.Errorf("delete expired records: a batch of %d; give at least 1", limit)
	}
	total := 0
	for _, statement := range deleteExpired {
		deleted, err := s.exec(ctx, statement, column.Micros(now), limit)
		total += int(deleted)
		if err != nil {
			return total, fmt.Errorf("delete expired records: %w", err)
		}
	}
	return total, nil
}
