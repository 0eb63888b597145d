package pgcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// findPrograms gives the directory of initdb, postgres and pg_dump: Debian keeps
// them out of PATH, a directory for each version.
func findPrograms() (string, error) {
	versions, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(versions) > 0 {
		return filepath.Dir(slices.Max(versions)), nil
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("there is no PostgreSQL server on this machine: run `make prerequisites`, or install one (Debian: apt-get install postgresql)")
}

// account is whom the server runs as: initdb and postgres refuse to be root.
type account struct{ credential *syscall.Credential }

// serverAccount is this process's own account, unless that is root.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return &account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("the account %s: %w", name, err)
		}
		return &account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no account postgres or nobody")
}

func (a *account) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: a.credential}
}

// own gives the directory and its files to the account.
func (a *account) own(directory string, files ...string) error {
	if a.credential == nil {
		return nil
	}
	errs := []error{os.Chown(directory, int(a.credential.Uid), int(a.credential.Gid))}
	for _, name := range files {
		errs = append(errs, os.Chown(filepath.Join(directory, name), int(a.credential.Uid), int(a.credential.Gid)))
	}
	return errors.Join(errs...)
}
