package faults

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// killsVariable says how often each test kills.
const killsVariable = "FAULTS_KILLS"

// fewKills show that the tests work, and little more.
const fewKills = 10

// directory holds the program.
var directory string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if directory, err = os.MkdirTemp("", "faults"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(directory) }() // The system's own directory for what nobody needs any more.
	code := pgcluster.Main(m)
	table.print(os.Stdout)
	return code
}

func kills() int {
	if count, err := strconv.Atoi(os.Getenv(killsVariable)); err == nil {
		return count
	}
	return fewKills
}
