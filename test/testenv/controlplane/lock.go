package controlplane

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile takes a lock that lasts until the file is closed or this program ends.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock %s: %w", path, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w: stop the control plane that uses this folder, or choose another", path, err), file.Close())
	}
	return file, nil
}
