package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// checkedFirst is up to how many bytes a file is checked before the server serves
// from it: the start is to take less than a second, and the check reads every page.
// Measured (docs/store.md); our own choice.
const checkedFirst = 64 << 20

// damageSuffix names the file beside the database that says that damage was found
// in it: from then on nothing is served from it before it has been checked as a whole.
const damageSuffix = ".damaged"

// quickCheck reads every page, and leaves out only whether indexes agree with
// their tables (https://www.sqlite.org/pragma.html#pragma_quick_check).
const quickCheck = "PRAGMA quick_check(1)"

// check refuses a database that belongs to another program or is damaged. A large
// one is left to FinishCheck, unless damage was found in it before.
func (s *Store) check(ctx context.Context, atMost int64) error {
	if err := checkOwner(ctx, s.pool, true); err != nil {
		return err
	}
	first, err := s.mustBeCheckedFirst(atMost)
	if err != nil {
		return err
	}
	if !first {
		s.unchecked = true
		return nil
	}
	if err := checkIntegrity(ctx, s.pool, quickCheck); err != nil {
		return err
	}
	return s.forgetDamage()
}

func (s *Store) mustBeCheckedFirst(atMost int64) (bool, error) {
	if _, err := os.Lstat(s.path + damageSuffix); !errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return false, err
	}
	return info.Size() <= atMost, nil
}

func (s *Store) forgetDamage() error {
	if err := os.Remove(s.path + damageSuffix); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// FinishCheck checks what was too large to be checked by Open; see store.Store.
// The next Open checks the file first if damage is found, however large it is.
func (s *Store) FinishCheck(ctx context.Context) (checked bool, err error) {
	if !s.unchecked {
		return false, nil
	}
	err = checkIntegrity(ctx, s.pool, quickCheck)
	if err == nil {
		return true, nil
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return true, errors.Join(fmt.Errorf("the database %s: %w", s.path, err), os.WriteFile(s.path+damageSuffix, nil, fileMode))
}

// checkOwner refuses a database of another program; one that is empty is
// nobody's yet, and may be let pass.
func checkOwner(ctx context.Context, db *sql.DB, emptyPasses bool) error {
	var owner, tables int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&owner); err != nil {
		return fmt.Errorf("read its header: %w", err)
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return fmt.Errorf("read its schema: %w", err)
	}
	empty := owner == 0 && tables == 0
	if owner == applicationID || empty && emptyPasses {
		return nil
	}
	return ErrNotOurs
}

func checkIntegrity(ctx context.Context, db *sql.DB, pragma string) error {
	var finding string
	if err := db.QueryRowContext(ctx, pragma).Scan(&finding); err != nil {
		return fmt.Errorf("check its integrity: %w", err)
	}
	if finding != "ok" {
		return fmt.Errorf("the database is damaged (%s); restore it from a backup", finding)
	}
	return nil
}
