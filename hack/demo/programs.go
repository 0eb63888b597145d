package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// programPatience bounds the start of a program.
const programPatience = time.Minute

// startPrograms returns when both answer, and the API server asks the webhook.
func (d *demo) startPrograms(ctx context.Context) error {
	actions := []func(context.Context) (string, error){d.startServer, d.startOperator, d.awaitAdmission}
	for _, action := range actions {
		if err := d.account.timed(func() (string, error) { return action(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) startServer(ctx context.Context) (string, error) {
	return "the authorization server answers: " + issuer, d.supervise(ctx, d.serverCommand, healthPort)
}

func (d *demo) startOperator(ctx context.Context) (string, error) {
	return "the operator and its webhook answer", d.supervise(ctx, d.operatorCommand, probePort)
}

func (d *demo) serverCommand() *exec.Cmd {
	return exec.Command(d.folder.program("authserver"), "--config", d.folder.serverConfig())
}

func (d *demo) operatorCommand() *exec.Cmd {
	operator := exec.Command(d.folder.program("operator"),
		"--registrar-url=https://localhost:"+strconv.Itoa(privatePort),
		"--registrar-ca-file="+d.folder.caFile(),
		"--registrar-cert-file="+d.folder.file("operator", "tls.crt"),
		"--registrar-key-file="+d.folder.file("operator", "tls.key"),
		"--webhook-host="+d.webhookAddress,
		"--webhook-port="+strconv.Itoa(webhookPort),
		"--webhook-cert-dir="+d.folder.file("webhook"),
		"--leader-elect=false",
		"--metrics-address=0",
		"--probe-address="+loopback(probePort),
	)
	operator.Env = append(operator.Environ(), "KUBECONFIG="+d.folder.kubeconfig("operator"))
	return operator
}

func askReady(ctx context.Context, port int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+loopback(port)+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask for readiness: %s", response.Status)
	}
	return nil
}

// awaitAdmission waits until the API server asks the webhook: it learns of a new
// configuration with a delay.
func (d *demo) awaitAdmission(ctx context.Context) (string, error) {
	manifest, err := os.ReadFile(brokenFile)
	if err != nil {
		return "", fmt.Errorf("read a sample: %w", err)
	}
	var answer error
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, programPatience, true, func(ctx context.Context) (bool, error) {
		probe := &v1alpha1.FAPIApplication{}
		if err := yaml.UnmarshalStrict(manifest, probe); err != nil {
			return false, fmt.Errorf("read sample %s: %w", brokenFile, err)
		}
		probe.Namespace = metav1.NamespaceDefault
		answer = d.kube.Create(ctx, probe, client.DryRunAll)
		return apierrors.IsInvalid(answer), nil
	})
	if err != nil {
		return "", fmt.Errorf("the API server does not ask the webhook at %s: %w", d.webhookURL(""), errors.Join(err, answer))
	}
	return "the API server asks the webhook", nil
}
