package keys

import (
	"context"
	"errors"
	"fmt"
)

// Check opens every key of the store, makes and changes none, and tells how many
// there are. Its error names each key that does not open, and each key that the
// custodian keeps for none of them. The custodian is nil where there is none.
func Check(ctx context.Context, kept lister, keyEncryptionKeys KeyEncryptionKeys, custodian Custodian) (int, error) {
	safe := safe{keyEncryptionKeys: keyEncryptionKeys, custodian: custodian}
	rows, err := kept.ServerKeys(ctx)
	if err != nil {
		return 0, err
	}
	var found []error
	for _, row := range rows {
		if _, err := safe.open(ctx, row); err != nil {
			found = append(found, fmt.Errorf("open server key %s: %w", row.ID, err))
		}
	}
	if len(found) > 0 {
		return len(rows), errors.Join(found...)
	}
	orphans, err := safe.orphans(ctx, kept)
	for _, id := range orphans {
		found = append(found, fmt.Errorf("%s keeps the key %s, which belongs to no server key; destroy it with the custodian's own tools", custodian.Name(), id))
	}
	return len(rows), errors.Join(append(found, err)...)
}
