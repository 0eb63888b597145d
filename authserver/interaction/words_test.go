package interaction

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// No language lacks a word that another has.
func TestEveryLanguageSaysEverything(t *testing.T) {
	t.Parallel()
	for _, spoken := range languages {
		requireFilled(t, spoken.Tag, reflect.ValueOf(*spoken))
		if strings.Count(spoken.Throttled, "%") != 1 || !strings.Contains(spoken.Throttled, "%d") {
			t.Errorf("%s: %q has not just the seconds to put in", spoken.Tag, spoken.Throttled)
		}
		for _, name := range personalClaims {
			if spoken.Claims[name] == "" {
				t.Errorf("%s has no words for the claim %s", spoken.Tag, name)
			}
		}
		for name, texts := range map[string][2]map[string]string{
			"scopes": {english.Scopes, spoken.Scopes}, "claims": {english.Claims, spoken.Claims}, "details": {english.Details, spoken.Details},
		} {
			want, got := slices.Sorted(maps.Keys(texts[0])), slices.Sorted(maps.Keys(texts[1]))
			if !slices.Equal(want, got) {
				t.Errorf("%s describes the %s %v, English %v", spoken.Tag, name, got, want)
			}
		}
	}
}

func requireFilled(t *testing.T, path string, value reflect.Value) {
	t.Helper()
	switch value.Kind() {
	case reflect.Struct:
		for field, inner := range value.Fields() {
			requireFilled(t, path+"."+field.Name, inner)
		}
	case reflect.Map:
		for _, key := range value.MapKeys() {
			requireFilled(t, path+"."+key.String(), value.MapIndex(key))
		}
	default:
		if value.String() == "" {
			t.Errorf("%s is empty", path)
		}
	}
}

// What the client asks for goes before what the browser does; what is no language
// of the pages is passed over.
func TestLanguageOfAPage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		uiLocales []string
		accepted  string
		want      string
	}{
		{nil, "", "en"},
		{nil, "de-AT,de;q=0.9,en;q=0.5", "de"},
		{nil, "fr-CA, fr;q=0.9", "en"},
		{nil, "fr, de;q=0.5, en;q=0.4", "de"},
		{nil, "en;q=0.3, de;q=0.7", "de"},
		{nil, ";;;q=x", "en"},
		{nil, "de" + strings.Repeat(",de", maxAcceptLanguage), "en"},
		{[]string{"de"}, "en", "de"},
		{[]string{"de-CH"}, "en", "de"},
		{[]string{"en-GB", "de"}, "de", "en"},
		{[]string{"fr", "de"}, "en", "de"},
		{[]string{"fr"}, "de", "de"},
		{[]string{"../../etc", "<script>", "x"}, "de", "de"},
		{[]string{"../../etc", "<script>", "x"}, "", "en"},
	} {
		r := &http.Request{Header: http.Header{"Accept-Language": {test.accepted}}}
		if got := speak(r, test.uiLocales).Tag; got != test.want {
			t.Errorf("ui_locales %q, Accept-Language %.40q: %s, want %s", test.uiLocales, test.accepted, got, test.want)
		}
	}
}

func FuzzSpeak(f *testing.F) {
	f.Add("de-AT,de;q=0.9", "fr de")
	f.Add("*", "x-private")
	f.Fuzz(func(t *testing.T, accepted, uiLocales string) {
		r := &http.Request{Header: http.Header{"Accept-Language": {accepted}}}
		if spoken := speak(r, oauth.SpaceSeparated(uiLocales)); !slices.Contains(languages, spoken) {
			t.Errorf("%q and %q speak %v", accepted, uiLocales, spoken)
		}
	})
}

func TestPagesSpeakGerman(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ask(func(request *store.AuthorizationRequest) {
		request.UILocales = []string{"de"}
		request.Claims = `{"userinfo":{"email":null}}`
	})
	b := s.browser()
	login := b.get(s.push())
	login.requireSpoken(t, "de", "Anmelden", "Ihr Passwort bleibt bei uns")
	b.logIn(login, alice, "wrong").requireSpoken(t, "de", "Benutzername oder Passwort ist falsch")
	consent := b.logIn(login, alice, testPassword)
	consent.requireSpoken(t, "de", "Darf The Shop zugreifen?", "Ihre E-Mail-Adresse", "Bestätigen, wer Sie sind", "Erlauben", "Ablehnen")
	b.decide(consent, "approve").requireAnswer(t, "code=issued")
	answered, err := http.NewRequestWithContext(t.Context(), http.MethodGet, consent.url.String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answered.Header.Set("Accept-Language", "de-DE")
	b.do(answered).requireSpoken(t, "de", "Sie haben diese Anfrage schon beantwortet")
}

// requireSpoken: the page says the texts, and that they are in the language.
func (p page) requireSpoken(t *testing.T, tag string, texts ...string) {
	t.Helper()
	if root := find(p.document, func(n *html.Node) bool { return n.Data == "html" }); root == nil || attribute(root, "lang") != tag {
		t.Errorf("the page is not in %s", tag)
	}
	for _, text := range texts {
		if !strings.Contains(p.text, text) {
			t.Errorf("the page does not say %q: %s", text, p.text)
		}
	}
}
