package controlplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

// Config says what to run. Only Tools and Dir are required.
type Config struct {
	// Tools are the programs, as Build returns them.
	Tools Tools

	// Dir holds data, certificates, kubeconfigs and logs, readable by its owner
	// alone. It is created when missing. A folder of an earlier run continues
	// with that run's objects and certificate authority; two control planes
	// can't share one.
	Dir string

	// APIServerPort is kube-apiserver's port on 127.0.0.1; 0 chooses a free one.
	APIServerPort int

	// CRDs are files and folders of custom resource definitions, installed
	// before any controller starts. The garbage collector learns of kinds that
	// are installed later only within 30 seconds.
	CRDs []string

	// ControllerManager runs kube-controller-manager: the deletion of
	// namespaces, garbage collection by owner references, service accounts.
	ControllerManager bool

	// CertManager runs cert-manager with its CA and self-signed issuers, CA
	// injector and validating webhook, and installs its CRDs.
	CertManager bool

	// CertManagerPort is the port of cert-manager's webhook on 127.0.0.1; 0
	// chooses a free one.
	CertManagerPort int
}

// complete checks the configuration and fills in what it leaves open.
func (c Config) complete() (Config, error) {
	if c.Tools.bin == "" {
		return c, errors.New("config names no tools: take them from Build")
	}
	if c.Dir == "" {
		return c, errors.New("config names no folder for the control plane's data")
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return c, fmt.Errorf("resolve folder %s: %w", c.Dir, err)
	}
	for _, port := range []*int{&c.APIServerPort, &c.CertManagerPort} {
		if *port != 0 {
			continue
		}
		if *port, err = process.FreePort(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// layout names what lies where in a control plane's folder.
type layout struct{ dir string }

func (l layout) data() string                  { return filepath.Join(l.dir, "data") }
func (l layout) logs() string                  { return filepath.Join(l.dir, "logs") }
func (l layout) pki() string                   { return filepath.Join(l.dir, "pki") }
func (l layout) lock() string                  { return filepath.Join(l.dir, "lock") }
func (l layout) log(program string) string     { return filepath.Join(l.logs(), program+".log") }
func (l layout) kubeconfig(user string) string { return filepath.Join(l.dir, user+".kubeconfig") }
func (l layout) pkiFile(name string) string    { return filepath.Join(l.pki(), name) }

func (l layout) create() error {
	for _, dir := range []string{l.dir, l.data(), l.logs(), l.pki()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create the control plane's folder: %w", err)
		}
	}
	return nil
}
