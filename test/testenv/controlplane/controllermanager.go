package controlplane

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// startControllerManager starts kube-controller-manager. The returned function
// waits until its controllers work.
func (c *ControlPlane) startControllerManager() (func(context.Context) error, error) {
	const user = "system:kube-controller-manager"
	kubeconfig, err := c.writeKubeconfig("kube-controller-manager", user)
	if err != nil {
		return nil, err
	}
	p, err := c.run("kube-controller-manager",
		"--kubeconfig="+kubeconfig,
		"--leader-elect=false",
		"--secure-port=0",
		"--use-service-account-credentials",
		"--service-account-private-key-file="+c.files.pkiFile(serviceAccountKeyFile),
		"--root-ca-file="+c.files.pkiFile(caCertificateFile),
		// The defaults protect a shared API server, and make a test wait.
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return p.AwaitReady(ctx, c.defaultServiceAccount) }, nil
}

// defaultServiceAccount asks for an object that only the controllers create.
func (c *ControlPlane) defaultServiceAccount(ctx context.Context) error {
	_, err := c.kube.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}
