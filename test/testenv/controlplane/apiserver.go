package controlplane

import (
	"context"
	"strconv"
)

// startAPIServer starts kube-apiserver with RBAC.
func (c *ControlPlane) startAPIServer(ctx context.Context) error {
	p, err := c.run("kube-apiserver",
		"--etcd-servers=unix://"+etcdSocket,
		"--bind-address=127.0.0.1",
		"--secure-port="+strconv.Itoa(c.config.APIServerPort),
		// Nothing reaches it as a Service, and an endpoint can't be a loopback address.
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--client-ca-file="+c.files.pkiFile(caCertificateFile),
		"--tls-cert-file="+c.files.pkiFile(servingCertFile),
		"--tls-private-key-file="+c.files.pkiFile(servingKeyFile),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.files.pkiFile(serviceAccountKeyFile),
		"--service-account-signing-key-file="+c.files.pkiFile(serviceAccountKeyFile),
		"--authorization-mode=RBAC",
		// Hardened clusters have it: an operator may set a blocking owner
		// reference only if it may update the owner's finalizers.
		"--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
		"--profiling=false",
	)
	if err != nil {
		return err
	}
	return p.AwaitReady(ctx, c.readyz)
}

func (c *ControlPlane) readyz(ctx context.Context) error {
	return c.kube.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}
