package main

import (
	"context"
	"fmt"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	release "helm.sh/helm/v4/pkg/release/v1"
)

// installed is what an installation of the chart would bring.
type installed struct {
	// manifest is a stream of YAML documents.
	manifest string
	// hooks are the objects with a helm.sh/hook, helm test's among them.
	hooks []string
	notes string
}

// render does what helm install --dry-run=client does, for the oldest Kubernetes
// that the chart admits.
func render(ctx context.Context, folder, name, namespace string, values map[string]any) (installed, error) {
	loaded, err := loader.LoadDir(folder)
	if err != nil {
		return installed{}, fmt.Errorf("load the chart: %w", err)
	}
	install := action.NewInstall(action.NewConfiguration())
	install.DryRunStrategy = action.DryRunClient
	install.ReleaseName, install.Namespace = name, namespace
	if install.KubeVersion, err = oldestKubernetes(loaded); err != nil {
		return installed{}, err
	}
	made, err := install.RunWithContext(ctx, loaded, values)
	if err != nil {
		return installed{}, fmt.Errorf("render the chart: %w", err)
	}
	rendered, ok := made.(*release.Release)
	if !ok {
		return installed{}, fmt.Errorf("render the chart: helm gives a %T", made)
	}
	result := installed{manifest: rendered.Manifest, notes: rendered.Info.Notes}
	for _, hook := range rendered.Hooks {
		result.hooks = append(result.hooks, hook.Manifest)
	}
	return result, nil
}

func oldestKubernetes(loaded *chart.Chart) (*common.KubeVersion, error) {
	bound := strings.TrimSuffix(strings.TrimPrefix(loaded.Metadata.KubeVersion, ">="), "-0")
	version, err := common.ParseKubeVersion("v" + bound)
	if err != nil {
		return nil, fmt.Errorf("kubeVersion in Chart.yaml is not like \">=1.30.0-0\": %w", err)
	}
	return version, nil
}
