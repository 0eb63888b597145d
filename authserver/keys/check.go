package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Check opens every key of the store, makes and changes none, and tells how many
// there are. Its error names each key that does not open.
func Check(ctx context.Context, kept store.Examined, keyEncryptionKeys KeyEncryptionKeys) (int, error) {
	rows, err := kept.ServerKeys(ctx)
	if err != nil {
		return 0, err
	}
	var found []error
	for _, row := range rows {
		if _, err := keyEncryptionKeys.open(row); err != nil {
			found = append(found, fmt.Errorf("open server key %s: %w", row.ID, err))
		}
	}
	return len(rows), errors.Join(found...)
}
