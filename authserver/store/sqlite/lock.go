package sqlite

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrInUse means that another process, or another Open in this one, has the database.
var ErrInUse = errors.New("the database is in use by another server process; " +
	"SQLite serves one replica: stop the other process, or use PostgreSQL for several")

// lock takes the lock file beside the database. The kernel gives the lock back
// when the process ends, however it ends; the file itself stays, because
// removing it would let two processes lock two files of the same name.
func lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return nil, fmt.Errorf("%w; the database needs an existing directory that this process may write", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
