// Package e2e installs the chart on a real Kubernetes cluster and uses it as a
// bank would: from pods, under load, through renewals, rolling restarts and
// upgrades, to the uninstallation. It needs the build tag e2e, and asks the
// environment for the rest: `make test-e2e` says what.
package e2e
