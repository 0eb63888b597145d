// Package testenv gives tests a real Kubernetes API server: etcd,
// kube-apiserver and, when asked, kube-controller-manager and cert-manager, in
// a temporary folder and on free loopback ports. Nothing of it outlives the
// test process.
//
// A package whose tests share one environment has a TestMain:
//
//	func TestMain(m *testing.M) {
//		os.Exit(testenv.Main(m, testenv.Config{ControllerManager: true}))
//	}
//
// and each test calls Start, and works in a namespace of its own.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fapi-operator/fapi-operator/test/testenv/controlplane"
)

// startTimeout bounds the start of the processes, not the building of programs
// that are missing.
const startTimeout = 2 * time.Minute

// Config says what runs beside etcd and kube-apiserver. The fields mean what
// they mean in controlplane.Config.
type Config struct {
	CRDs              []string
	ControllerManager bool
	CertManager       bool
}

// Environment is a running control plane with its administrator's credentials.
type Environment struct {
	// Kubeconfig is the path of a kubeconfig with all rights.
	Kubeconfig string

	// Config is the same for clients in this process. Copy it (rest.CopyConfig)
	// before changing it.
	Config *rest.Config

	plane *controlplane.ControlPlane
	kube  kubernetes.Interface
	dir   string
}

// shared is the environment of Main, started when the first test asks for it.
var shared func() (*Environment, error)

// Main runs a package's tests with one shared environment, which it stops
// afterwards, and returns the exit code for os.Exit.
func Main(m *testing.M, config Config) int {
	var running *Environment
	shared = sync.OnceValues(func() (_ *Environment, err error) {
		running, err = start(config)
		return running, err
	})
	code := m.Run()
	if running == nil {
		return code
	}
	if err := running.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// Start returns the shared environment of Main or, in a package without it, an
// environment of its own with etcd and kube-apiserver only.
func Start(t testing.TB) *Environment {
	t.Helper()
	if shared == nil {
		return StartOwn(t, Config{})
	}
	e, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// StartOwn starts an environment for one test, which ends with it.
func StartOwn(t testing.TB, config Config) *Environment {
	t.Helper()
	e, err := start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.stop(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func start(config Config) (*Environment, error) {
	tools, err := controlplane.Build(context.Background(), os.Stderr)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "testenv-")
	if err != nil {
		return nil, fmt.Errorf("create the environment's folder: %w", err)
	}
	e, err := startIn(dir, tools, config)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return e, nil
}

func startIn(dir string, tools controlplane.Tools, config Config) (*Environment, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	plane, err := controlplane.Start(ctx, controlplane.Config{
		Tools:             tools,
		Dir:               dir,
		CRDs:              config.CRDs,
		ControllerManager: config.ControllerManager,
		CertManager:       config.CertManager,
	})
	if err != nil {
		return nil, err
	}
	kube, err := kubernetes.NewForConfig(plane.RESTConfig)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create the Kubernetes client: %w", err), plane.Stop())
	}
	return &Environment{Kubeconfig: plane.Kubeconfig, Config: plane.RESTConfig, plane: plane, kube: kube, dir: dir}, nil
}

func (e *Environment) stop() error {
	return errors.Join(e.plane.Stop(), os.RemoveAll(e.dir))
}

// InstallCRDs creates or updates the custom resource definitions in files and
// folders, and returns when they are served.
func (e *Environment) InstallCRDs(t testing.TB, paths ...string) {
	t.Helper()
	if err := e.plane.InstallCRDs(paths...); err != nil {
		t.Fatal(err)
	}
}

// Namespace creates a namespace that is deleted with the test, and returns its
// name. What is in it goes away only where ControllerManager runs.
func (e *Environment) Namespace(t testing.TB) string {
	t.Helper()
	namespaces := e.kube.CoreV1().Namespaces()
	namespace, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if err := namespaces.Delete(context.Background(), namespace.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("delete namespace %s: %v", namespace.Name, err)
		}
	})
	return namespace.Name
}

// Kubectl runs kubectl with all rights and returns its standard output. A
// failure ends the test; use TryKubectl where a refusal is expected.
func (e *Environment) Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	output, err := e.TryKubectl(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// TryKubectl is Kubectl that returns failures; the error quotes standard error.
func (e *Environment) TryKubectl(t testing.TB, args ...string) (string, error) {
	t.Helper()
	return e.plane.Kubectl(t.Context(), args...)
}
