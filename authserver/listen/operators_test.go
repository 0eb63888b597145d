package listen

import (
	"crypto/x509"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func TestOperatorsActForTheirInstallations(t *testing.T) {
	t.Parallel()
	operators := OperatorsOf(config.PrivateListener{
		AllowedClientSANs: []string{operatorURI},
		BoundClientSANs:   map[string][]string{retailURI: {"retail", "outlet"}, "east.example": {"east"}},
		AdministratorSANs: []string{administratorURI},
	})
	authority := testca.New(t, "CA", start)
	for name, test := range map[string]struct {
		leaf testca.Leaf
		want registration.Installations
	}{
		"one that is not bound":            {testca.Leaf{URIs: []string{operatorURI}}, registration.Installations{Any: true}},
		"bound by a URI":                   {testca.Leaf{URIs: []string{retailURI}}, registration.Installations{Named: []string{"outlet", "retail"}}},
		"bound by a DNS name, in any case": {testca.Leaf{DNS: []string{"EAST.example"}}, registration.Installations{Named: []string{"east"}}},
		"with two bound names":             {testca.Leaf{DNS: []string{"east.example"}, URIs: []string{retailURI}}, registration.Installations{Named: []string{"east", "outlet", "retail"}}},
		"bound as a suffix":                {testca.Leaf{DNS: []string{"x.east.example"}}, registration.Installations{}},
		"an administrator":                 {testca.Leaf{URIs: []string{administratorURI}}, registration.Installations{}},
	} {
		caller, err := x509.ParseCertificate(authority.Issue(t, test.leaf).TLS(t).Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		got := operators.Installations(caller)
		slices.Sort(got.Named)
		if difference := cmp.Diff(test.want, got); difference != "" {
			t.Errorf("%s (-want +got):\n%s", name, difference)
		}
		if in := test.want.Any || len(test.want.Named) > 0; operators.In(caller) != in {
			t.Errorf("%s may register: %t", name, !in)
		}
	}
}
