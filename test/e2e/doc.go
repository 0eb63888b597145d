// Package e2e installs the chart on a real Kubernetes cluster, by Helm, kustomize
// and Argo CD, and uses it as a bank would: from pods, under load, through
// renewals, rolling restarts, upgrades and commits, to the uninstallation. It
// needs the build tag e2e, and asks the environment for the rest: README.md says what.
package e2e
