package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/controlplane"
)

// demo is what the steps have come to.
type demo struct {
	account *account
	// fail ends the demo's context, when a program ends by itself.
	fail context.CancelCauseFunc
	// repository is the folder with go.mod.
	repository string
	folder     folder
	// givenKubeconfig is the environment's KUBECONFIG; empty starts a control plane.
	givenKubeconfig string
	webhookAddress  string

	tools        controlplane.Tools
	plane        *controlplane.ControlPlane
	kube         client.Client
	clusterUID   string
	authority    *authority
	person       fapitest.Person
	programs     []*supervised
	restarts     restarts
	applications []*v1alpha1.FAPIApplication
}

func newDemo(fail context.CancelCauseFunc, webhookAddress string) (*demo, error) {
	repository, err := findRepository()
	if err != nil {
		return nil, err
	}
	// The scripts and kustomizations are found from here.
	if err := os.Chdir(repository); err != nil {
		return nil, fmt.Errorf("enter the repository: %w", err)
	}
	home, err := openFolder()
	if err != nil {
		return nil, err
	}
	d := &demo{
		account: newAccount(os.Stdout), fail: fail, repository: repository, folder: home,
		givenKubeconfig: os.Getenv("KUBECONFIG"), webhookAddress: webhookAddress,
	}
	return d, d.checkPorts()
}

func findRepository() (string, error) {
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository with go env: %w", err)
	}
	repository := filepath.Dir(strings.TrimSpace(string(module)))
	if _, err := os.Stat(filepath.Join(repository, "config", "samples")); err != nil {
		return "", fmt.Errorf("this is not the repository of fapi-operator; run make demo in it: %w", err)
	}
	return filepath.EvalSymlinks(repository)
}

// stop ends every program, the last started first. The folder stays.
func (d *demo) stop() error {
	d.fail(nil)
	var problems []error
	for _, program := range slices.Backward(d.programs) {
		problems = append(problems, program.running().Stop())
	}
	if d.plane != nil {
		problems = append(problems, d.plane.Stop())
	}
	return errors.Join(problems...)
}
