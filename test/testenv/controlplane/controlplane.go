package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

// ControlPlane is a running control plane. Its fields must not be changed.
type ControlPlane struct {
	// Kubeconfig is the path of a kubeconfig with all rights.
	Kubeconfig string

	// RESTConfig is what Kubeconfig says, without client-side rate limits. Copy
	// it (rest.CopyConfig) before changing it.
	RESTConfig *rest.Config

	config    Config
	files     layout
	lock      *os.File
	ca        *authority
	kube      kubernetes.Interface
	processes []*process.Process
	failed    chan error
	stopping  chan struct{}
	stop      func() error
}

// Start starts what config names and returns once all of it answers. ctx bounds
// the start only; the processes run until Stop, or until this program ends.
func Start(ctx context.Context, config Config) (*ControlPlane, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{
		config:   config,
		files:    layout{dir: config.Dir},
		failed:   make(chan error, 1),
		stopping: make(chan struct{}),
	}
	c.stop = sync.OnceValue(c.stopAll)
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the control plane in %s: %w", config.Dir, err), c.Stop())
	}
	return c, nil
}

func (c *ControlPlane) start(ctx context.Context) error {
	steps := []func(context.Context) error{
		c.prepareFolder,
		c.prepareClients,
		c.startEtcd,
		c.startAPIServer,
		c.installConfiguredCRDs,
		c.startControllers,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// prepareFolder takes the folder for this control plane and fills it with what
// the processes read.
func (c *ControlPlane) prepareFolder(context.Context) error {
	err := c.files.create()
	if err != nil {
		return err
	}
	if c.lock, err = lockFile(c.files.lock()); err != nil {
		return err
	}
	if c.ca, err = openAuthority(c.files); err != nil {
		return err
	}
	return writePKI(c.files, c.ca)
}

func (c *ControlPlane) prepareClients(context.Context) (err error) {
	if c.Kubeconfig, err = c.writeKubeconfig("admin", "admin", administrators); err != nil {
		return err
	}
	if c.RESTConfig, err = readKubeconfig(c.Kubeconfig); err != nil {
		return err
	}
	if c.kube, err = kubernetes.NewForConfig(c.RESTConfig); err != nil {
		return fmt.Errorf("create the Kubernetes client: %w", err)
	}
	return nil
}

func (c *ControlPlane) installConfiguredCRDs(context.Context) error {
	paths := slices.Clone(c.config.CRDs)
	if c.config.CertManager {
		paths = append(paths, c.config.Tools.certManagerCRDs())
	}
	if len(paths) == 0 {
		return nil
	}
	return c.InstallCRDs(paths...)
}

// startControllers starts the controllers side by side and then waits for each.
func (c *ControlPlane) startControllers(ctx context.Context) error {
	var waits []func(context.Context) error
	if c.config.ControllerManager {
		wait, err := c.startControllerManager()
		if err != nil {
			return err
		}
		waits = append(waits, wait)
	}
	if c.config.CertManager {
		wait, err := c.startCertManager(ctx)
		if err != nil {
			return err
		}
		waits = append(waits, wait)
	}
	for _, wait := range waits {
		if err := wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// run starts one of the programs and watches over it.
func (c *ControlPlane) run(program string, args ...string) (*process.Process, error) {
	cmd := exec.Command(c.config.Tools.Path(program), args...)
	cmd.Dir = c.files.data()
	p, err := process.Start(cmd, c.files.log(program))
	if err != nil {
		return nil, err
	}
	c.processes = append(c.processes, p)
	go c.watch(p)
	return p, nil
}

// watch reports a program that ends before it was told to.
func (c *ControlPlane) watch(p *process.Process) {
	<-p.Done()
	select {
	case <-c.stopping:
		return
	default:
	}
	select {
	case c.failed <- p.Failure():
	default: // the first failure is told already
	}
}

// Failed delivers an error when one of the processes ends by itself.
func (c *ControlPlane) Failed() <-chan error { return c.failed }

// Stop ends the processes, the last started first, and returns when they are
// gone. The folder stays. Stopping again does nothing.
func (c *ControlPlane) Stop() error { return c.stop() }

func (c *ControlPlane) stopAll() error {
	close(c.stopping)
	var errs []error
	for _, p := range slices.Backward(c.processes) {
		errs = append(errs, p.Stop())
	}
	if c.lock != nil {
		errs = append(errs, c.lock.Close())
	}
	return errors.Join(errs...)
}

// InstallCRDs creates or updates the custom resource definitions in files and
// folders, and returns when the API server serves them.
func (c *ControlPlane) InstallCRDs(paths ...string) error {
	options := envtest.CRDInstallOptions{Paths: paths, ErrorIfPathMissing: true}
	if _, err := envtest.InstallCRDs(c.RESTConfig, options); err != nil {
		return fmt.Errorf("install the custom resource definitions of %s: %w", strings.Join(paths, ", "), err)
	}
	return nil
}

// Kubectl runs kubectl with all rights and returns what it printed to standard
// output. The error quotes what it printed to standard error.
func (c *ControlPlane) Kubectl(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.config.Tools.Path("kubectl"), append([]string{"--kubeconfig", c.Kubeconfig}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}
