// Package controlplane runs a real Kubernetes control plane of this machine's
// own processes: etcd, kube-apiserver and, when asked, kube-controller-manager
// and cert-manager. There is no node, so Pods stay pending. It serves the tests
// (through package testenv) and the demonstration.
package controlplane
