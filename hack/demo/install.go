package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"
)

const (
	operatorNamespace = "fapi-system"
	// namePrefix keeps the cluster-wide names apart from others'.
	namePrefix = "fapi-operator-"
)

// installation adapts config/ to this machine.
var installation = template.Must(template.New("kustomization.yaml").Parse(`apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {{.Namespace}}
namePrefix: {{.NamePrefix}}
resources:
- namespace.yaml
- {{.Config}}/crd
- {{.Config}}/rbac
- webhook.yaml
`))

const namespaceManifest = "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + operatorNamespace + "}\n"

// install applies the custom resource definition, the operator's rights and the
// webhook's configuration.
func (d *demo) install(ctx context.Context) error {
	if err := d.writeInstallation(); err != nil {
		return err
	}
	if err := d.apply(ctx, "-k", d.folder.installation()); err != nil {
		return err
	}
	_, err := d.kubectl(ctx, "wait", "--for=condition=Established", "--timeout=1m", "customresourcedefinition/fapiapplications.fapi-operator.io", "customresourcedefinition/fapipolicies.fapi-operator.io")
	return err
}

func (d *demo) writeInstallation() error {
	webhook, err := d.webhookManifest()
	if err != nil {
		return err
	}
	config, err := filepath.Rel(d.folder.installation(), filepath.Join(d.repository, "config"))
	if err != nil {
		return fmt.Errorf("find config/ from %s: %w", d.folder.installation(), err)
	}
	var text bytes.Buffer
	if err := installation.Execute(&text, map[string]string{"Namespace": operatorNamespace, "NamePrefix": namePrefix, "Config": config}); err != nil {
		return fmt.Errorf("write the installation: %w", err)
	}
	return errors.Join(
		d.folder.write(text.Bytes(), "installation", "kustomization.yaml"),
		d.folder.write([]byte(namespaceManifest), "installation", "namespace.yaml"),
		d.folder.write(webhook, "installation", "webhook.yaml"),
	)
}

// webhookManifest is the generated configuration with a URL in place of the
// service: the operator runs outside of the cluster.
func (d *demo) webhookManifest() ([]byte, error) {
	file := filepath.Join("config", "webhook", "manifests.yaml")
	manifest, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the webhook's configuration: %w", err)
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := yaml.UnmarshalStrict(manifest, configuration); err != nil {
		return nil, fmt.Errorf("read the webhook's configuration %s: %w", file, err)
	}
	for i := range configuration.Webhooks {
		client := &configuration.Webhooks[i].ClientConfig
		address := d.webhookURL(*client.Service.Path)
		*client = admissionregistrationv1.WebhookClientConfig{URL: &address, CABundle: d.authority.pem()}
	}
	return yaml.Marshal(configuration)
}

// apply applies what the arguments name and tells kubectl's words.
func (d *demo) apply(ctx context.Context, arguments ...string) error {
	return d.account.timed(func() (string, error) {
		output, err := d.kubectl(ctx, append([]string{"apply", "--server-side", "--force-conflicts"}, arguments...)...)
		applied := strings.Split(strings.ReplaceAll(strings.TrimSpace(output), " serverside-applied", ""), "\n")
		return "applied " + strings.Join(applied, "\n           "+"        "), err
	})
}

// kubectl runs kubectl as the administrator; the error quotes what it said.
func (d *demo) kubectl(ctx context.Context, arguments ...string) (string, error) {
	var output, problem bytes.Buffer
	cmd := exec.CommandContext(ctx, d.tools.Path("kubectl"), append([]string{"--kubeconfig", d.folder.kubeconfig("admin")}, arguments...)...)
	cmd.Stdout, cmd.Stderr = &output, &problem
	if err := cmd.Run(); err != nil {
		return output.String(), &kubectlError{arguments: arguments, err: err, said: strings.TrimSpace(problem.String())}
	}
	return output.String(), nil
}

// kubectlError is what kubectl said when it failed.
type kubectlError struct {
	arguments []string
	err       error
	said      string
}

// Error quotes kubectl.
func (e *kubectlError) Error() string {
	return fmt.Sprintf("kubectl %s: %v: %s", strings.Join(e.arguments, " "), e.err, e.said)
}

// Unwrap is how the program ended.
func (e *kubectlError) Unwrap() error { return e.err }
