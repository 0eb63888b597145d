package integration

import (
	"path/filepath"
	"testing"

	"github.com/fapi-operator/fapi-operator/test/testenv"
)

// The whole installation, strictly validated by a real API server; its
// certificates, issued by a real cert-manager; and nothing that a GitOps tool
// would see as a difference afterwards.
func TestInstallationIsTakenAndItsCertificatesAreIssued(t *testing.T) {
	t.Parallel()
	environment := testenv.StartOwn(t, testenv.Config{ControllerManager: true, CertManager: true})
	installation := filepath.Join(root, "config", "default")
	// The namespace first, and the definition, as Helm and Argo CD order them too.
	environment.Kubectl(t, "apply", "--server-side", "-f", filepath.Join(installation, "namespace.yaml"))
	environment.Kubectl(t, "apply", "--server-side", "--validate=strict", "-k", installation)
	environment.Kubectl(t, "wait", "--namespace=fapi-system", "--for=condition=Ready", "--timeout=60s", "certificates", "--all")
	environment.Kubectl(t, "diff", "--server-side", "-k", installation)

	// Nobody answers for the webhook here: the samples are judged by the schema alone.
	environment.Kubectl(t, "delete", "validatingwebhookconfiguration", "fapi-system-fapi-operator")
	for _, samples := range []string{filepath.Join("config", "samples"), filepath.Join("config", "argocd", "samples")} {
		environment.Kubectl(t, "apply", "--server-side", "--force-conflicts", "--validate=strict", "-k", filepath.Join(root, samples))
	}
}
