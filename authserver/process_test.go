package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// asProgram makes the test binary the program itself, in a process of its own.
const asProgram = "FAPI_OPERATOR_TEST_AUTHSERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(pgcluster.Main(m))
}

// outcome is how the program ended.
type outcome struct {
	status         int
	output, errors string
}

// authserver runs the program.
func authserver(t *testing.T, arguments ...string) outcome {
	t.Helper()
	program := exec.CommandContext(t.Context(), os.Args[0], arguments...)
	program.Env = append(os.Environ(), asProgram+"=1")
	var output, told bytes.Buffer
	program.Stdout, program.Stderr = &output, &told
	err := program.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return outcome{program.ProcessState.ExitCode(), output.String(), told.String()}
}
