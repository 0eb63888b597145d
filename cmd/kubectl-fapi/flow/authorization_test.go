package flow

import (
	"net/url"
	"strings"
	"testing"
)

const issuer = "https://auth.bank.example"

// A code is taken only out of an answer of this server to this request.
func FuzzReadResponse(f *testing.F) {
	client := New(Identity{Issuer: issuer}, nil)
	authorization := NewAuthorization("https://app.example.com/callback", "openid")
	right := "?code=c&iss=" + url.QueryEscape(issuer) + "&state=" + authorization.state
	for _, address := range []string{
		authorization.RedirectURI + right, " " + right + "\n", right + "&error=access_denied", "#" + right, "?code=c", "?response=a.b.c", "?response=a.b.c.d.e", "%zz",
		"?code=c&state=" + authorization.state, strings.Replace(right, authorization.state, "other", 1),
	} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		code, err := client.ReadResponse(authorization, address)
		if (err == nil) != (code != "") {
			t.Fatalf("code %q with %v", code, err)
		}
		plain, _ := url.QueryUnescape(address) // what cannot be unescaped gives no code
		if code != "" && (!strings.Contains(plain, authorization.state) || !strings.Contains(plain, issuer)) {
			t.Errorf("%q gives a code", address)
		}
	})
}

func TestCodeComesOutOfTheRightAddressAlone(t *testing.T) {
	t.Parallel()
	client := New(Identity{Issuer: issuer}, nil)
	authorization := NewAuthorization("https://app.example.com/callback", "openid")
	right := authorization.RedirectURI + "?code=c&iss=" + url.QueryEscape(issuer) + "&state=" + authorization.state
	if code, err := client.ReadResponse(authorization, right+"\n"); code != "c" || err != nil {
		t.Errorf("code %q, %v", code, err)
	}
	client.WantsSignedResponses = true
	if code, err := client.ReadResponse(authorization, right); code != "" || err == nil {
		t.Errorf("a response that is to be signed, and is not, gives the code %q", code)
	}
}
