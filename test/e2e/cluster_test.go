//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// kubectl runs kubectl, which must succeed, and gives what it printed.
func kubectl(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := tryKubectl(t, "", arguments...)
	if err != nil {
		t.Fatalf("kubectl %s: %v", strings.Join(arguments, " "), err)
	}
	return output
}

// tryKubectl runs kubectl with an input; its error holds what it complained of.
func tryKubectl(t *testing.T, input string, arguments ...string) (string, error) {
	t.Helper()
	return run(t, input, "kubectl", arguments...)
}

// apply applies a manifest as Argo CD and careful people do: server-side, and strictly.
func apply(t *testing.T, namespace, manifest string) {
	t.Helper()
	if _, err := tryKubectl(t, manifest, "apply", "--server-side", "--validate=strict", "--namespace", namespace, "-f", "-"); err != nil {
		t.Fatalf("apply: %v\n%s", err, manifest)
	}
}

// helm runs helm, which must succeed.
func helm(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := run(t, "", "helm", arguments...)
	if err != nil {
		t.Fatalf("helm %s: %v", strings.Join(arguments, " "), err)
	}
	return output
}

func run(t *testing.T, input, program string, arguments ...string) (string, error) {
	t.Helper()
	// Without the test's context, which has ended when a test cleans up.
	command := exec.Command(program, arguments...)
	command.Stdin = strings.NewReader(input)
	var output, complaint bytes.Buffer
	command.Stdout, command.Stderr = &output, &complaint
	if err := command.Run(); err != nil {
		return output.String(), &complaintError{err, complaint.String()}
	}
	return output.String(), nil
}

// complaintError is how a program ended, with its last words.
type complaintError struct {
	error
	complaint string
}

// Error quotes the program.
func (e *complaintError) Error() string { return e.error.Error() + ": " + e.complaint }

// waitPatience is kubectl's for what takes a cluster a while; our own choice.
const waitPatience = "--timeout=3m"

// await waits, by a watch, for a condition of an object.
func await(t *testing.T, namespace, object, condition string) {
	t.Helper()
	if _, err := tryKubectl(t, "", "wait", "--namespace", namespace, object, "--for="+condition, waitPatience); err != nil {
		t.Fatalf("%v\n%s", err, describe(t, namespace))
	}
}

// describe is what somebody who looks for a fault would look at.
func describe(t *testing.T, namespace string) string {
	t.Helper()
	var all strings.Builder
	for _, arguments := range [][]string{
		{"get", "pods,fapiapplications,certificates", "-o", "wide"},
		{"get", "fapiservers", "-o", "yaml"},
		{"get", "events", "--sort-by=.lastTimestamp"},
		{"logs", "--selector=app.kubernetes.io/name=fapi-operator", "--tail=30", "--prefix"},
	} {
		output, err := tryKubectl(t, "", append(arguments, "--namespace", namespace)...)
		if err != nil {
			output += err.Error()
		}
		all.WriteString(output + "\n")
	}
	return all.String()
}

// hostAddress is where pods reach this machine.
func hostAddress(t *testing.T) string {
	t.Helper()
	if address := os.Getenv(hostVariable); address != "" {
		return address
	}
	return kubectl(t, "get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
}
