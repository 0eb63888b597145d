package process_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

// asAnother makes this program one that only takes ports, and prints them.
const asAnother = "TAKE_PORTS"

// taken are more than a block's.
const taken = 150

func TestMain(m *testing.M) {
	if os.Getenv(asAnother) == "" {
		os.Exit(m.Run())
	}
	for range taken {
		port, err := process.FreePort()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(port)
	}
	_, _ = os.Stdin.Read(make([]byte, 1)) // Its ports stay its own until it is told to end.
}

// Test programs run beside each other, and what they start binds its ports later.
func TestNoPortIsGivenTwice(t *testing.T) {
	t.Parallel()
	given := map[string]string{}
	note := func(port, to string) {
		if owner, known := given[port]; known {
			t.Errorf("port %s was given to %s and to %s", port, owner, to)
		}
		given[port] = to
	}
	for _, name := range []string{"another program", "a third one"} {
		for _, port := range takenByAnother(t) {
			note(port, name)
		}
	}
	for range taken {
		port, err := process.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		note(fmt.Sprint(port), "this program")
	}
}

// takenByAnother gives the ports of a program that lives as long as the test.
func takenByAnother(t *testing.T) []string {
	t.Helper()
	another := exec.Command(os.Args[0])
	another.Env = append(another.Environ(), asAnother+"=1")
	another.Stderr = os.Stderr
	output, err := another.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	until, err := another.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := another.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = until.Close()
		if err := another.Wait(); err != nil {
			t.Error(err)
		}
	})
	ports := make([]string, taken)
	for i := range ports {
		if _, err := fmt.Fscan(output, &ports[i]); err != nil {
			t.Fatal(err)
		}
	}
	return ports
}
