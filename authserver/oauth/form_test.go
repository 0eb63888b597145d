package oauth

import (
	"slices"
	"strings"
	"testing"
)

func TestFormKeepsWhatWasSent(t *testing.T) {
	t.Parallel()
	form, refusal := ParseForm("scope=openid+accounts&state=&client_id=a&client_id=b&resource=x&resource=y")
	if refusal != nil {
		t.Fatal(refusal)
	}
	if got := form.Get(ParamScope); got != "openid accounts" {
		t.Errorf("scope is %q", got)
	}
	if form.Has(ParamState) {
		t.Error("a parameter without a value counts as omitted (RFC 6749, 3.1)")
	}
	if got := form.Duplicates(); !slices.Equal(got, []string{ParamClientID}) {
		t.Errorf("duplicates are %v; resource may be repeated (RFC 8707, 2)", got)
	}
	if got := form.All(ParamResource); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("resource is %v", got)
	}
}

func TestFormRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a broken escape":     "code=%zz",
		"a semicolon":         "code=1;state=2",
		"too many bytes":      "code=" + strings.Repeat("a", MaxFormBytes),
		"too many parameters": strings.Repeat("a=1&", maxFormParameters+1),
	} {
		if _, refusal := ParseForm(body); refusal == nil || refusal.Code != InvalidRequest {
			t.Errorf("%s: got %v, want invalid_request", name, refusal)
		}
	}
}

func TestListsAreSplitAtSpacesAlone(t *testing.T) {
	t.Parallel()
	if got := SpaceSeparated(" openid  accounts\tpayments "); !slices.Equal(got, []string{"openid", "accounts\tpayments"}) {
		t.Errorf("got %q", got)
	}
}

func FuzzParseForm(f *testing.F) {
	f.Add("grant_type=authorization_code&code=x")
	f.Add("a=1&a=2&%41=3")
	f.Fuzz(func(t *testing.T, body string) {
		form, refusal := ParseForm(body)
		if refusal != nil {
			return
		}
		for _, name := range form.Names() {
			if len(form.All(name)) == 0 {
				t.Errorf("%q was sent and has no value", name)
			}
		}
	})
}
