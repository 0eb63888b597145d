package scale

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"text/tabwriter"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fapi-operator/fapi-operator/test/testenv"
)

// applicationsVariable says how many applications there are.
const applicationsVariable = "SCALE_APPLICATIONS"

// fewApplications show that the test works, and little more.
const fewApplications = 400

// manyApplications are those that the targets are stated for.
const manyApplications = 10_000

// root is the repository, seen from this package.
const root = "../.."

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // Of the clients of this test.
	code := testenv.Main(m, testenv.Config{
		CRDs:        []string{filepath.Join(root, "config", "crd", "bases")},
		CertManager: true, // For its kinds, which the operator watches.
	})
	figures.print()
	os.Exit(code)
}

func applications() int {
	if count, err := strconv.Atoi(os.Getenv(applicationsVariable)); err == nil {
		return count
	}
	return fewApplications
}

// figure is something that was measured, and what it should be.
type figure struct{ what, measured, target string }

// table is what stands at the end.
type table []figure

var figures table

func (f *table) add(what, measured, target string) { *f = append(*f, figure{what, measured, target}) }

func (f *table) print() {
	writer := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, figure := range *f {
		_, _ = fmt.Fprintf(writer, "%s\t%s\t%s\n", figure.what, figure.measured, figure.target)
	}
	_ = writer.Flush() // To standard output, as all else that a test says.
}
