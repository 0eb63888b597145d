package interaction

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/authorizationdetails"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

func rowsOf(t *testing.T, element string) []detailRow {
	t.Helper()
	texts, err := describeDetails(&english, testDetailsTypes(t), json.RawMessage("["+element+"]"))
	if err != nil {
		t.Fatal(err)
	}
	return texts[0].Rows
}

func TestEveryMemberBecomesARow(t *testing.T) {
	t.Parallel()
	got := rowsOf(t, `{
		"creditorName": "Merchant A", "type": "payment_initiation",
		"instructedAmount": {"currency": "EUR", "amount": "123.50"},
		"creditorAccount": {"iban": "DE02100100109307118603", "bank_code": {"bic": "XX"}},
		"locations": ["https://api.bank.example/payments", "https://api.bank.example/status"],
		"actions": ["initiate_payment", "cancel", "Execute-now", "read_Balance"],
		"urgent": true, "recurring": false, "copies": 2.50, "note": null, "text": "", "list": [], "object": {},
		"splits": [{"to": "A", "share": 1}, "rest", ["x", "y"]]
	}`)
	want := []detailRow{
		{"Creditor name", []string{"Merchant A"}},
		{"Amount", []string{"123.50 EUR"}},
		{"Account › IBAN", []string{"DE02100100109307118603"}},
		{"Account › Bank code › Bic", []string{"XX"}},
		{"Actions", []string{"Initiate payment", "Cancel", "Execute-now", "read_Balance"}},
		{"Urgent", []string{"yes"}}, {"Recurring", []string{"no"}}, {"Copies", []string{"2.50"}},
		{"Note", []string{""}}, {"Text", []string{""}}, {"List", []string{""}}, {"Object", []string{""}},
		{"Splits › 1 › To", []string{"A"}}, {"Splits › 1 › Share", []string{"1"}}, {"Splits › 2", []string{"rest"}},
		{"Splits › 3", []string{"x", "y"}},
		{"Where", []string{"https://api.bank.example/payments", "https://api.bank.example/status"}},
	}
	if difference := cmp.Diff(want, got); difference != "" {
		t.Errorf("rows (-want +got):\n%s", difference)
	}
}

// Amount and currency are one text only where nobody can take one for the other.
func TestOnlyMoneyIsShortened(t *testing.T) {
	t.Parallel()
	for element, want := range map[string]string{
		`{"type":"t","a":{"amount":"5","currency":"EUR"}}`:           "A: 5 EUR",
		`{"type":"t","a":{"amount":5.10,"currency":"EUR"}}`:          "A: 5.10 EUR",
		`{"type":"t","a":{"amount":"5","currency":"000 EUR"}}`:       "A › Amount: 5; A › Currency: 000 EUR",
		`{"type":"t","a":{"amount":"5 or 500","currency":"EUR"}}`:    "A › Amount: 5 or 500; A › Currency: EUR",
		`{"type":"t","a":{"amount":"5","currency":"EUR","tip":"9"}}`: "A › Amount: 5; A › Currency: EUR; A › Tip: 9",
		`{"type":"t","a":{"amount":{"x":"1"},"currency":"EUR"}}`:     "A › Amount › X: 1; A › Currency: EUR",
	} {
		var lines []string
		for _, row := range rowsOf(t, element) {
			lines = append(lines, row.Label+": "+strings.Join(row.Values, ", "))
		}
		if got := strings.Join(lines, "; "); got != want {
			t.Errorf("%s is shown as %q, want %q", element, got, want)
		}
	}
}

func TestNamesBecomeWords(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"creditorName": "Creditor name", "creditor_name": "Creditor name", "credit-limit": "Credit limit",
		"debtorIBAN": "Debtor IBAN", "IBAN": "IBAN", "x": "X", "": "", "überweisungsText": "Überweisungs text", "a\u202eb": "A⟨U+202E⟩b",
	} {
		if got := wordsOf(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
}

// What cannot be seen, or turns what can, is shown by its code point.
func TestNothingIsInvisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Ünïcode ß 漢字 مرحبا é 5 €": "Ünïcode ß 漢字 مرحبا é 5 €",
		"a\u202eb":         "a⟨U+202E⟩b", // right-to-left override
		"a\u2066b\u2069":   "a⟨U+2066⟩b⟨U+2069⟩",
		"a\u200bb":         "a⟨U+200B⟩b", // zero width space
		"a\nb\tc\x00":      "a⟨U+000A⟩b⟨U+0009⟩c⟨U+0000⟩",
		"a\u00a0b":         "a⟨U+00A0⟩b",
		"\u3164":           "⟨U+3164⟩", // a letter without ink
		"\u2800":           "⟨U+2800⟩",
		"\ufe0f\U000e0041": "⟨U+FE0F⟩⟨U+E0041⟩",
	} {
		if got := visible(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func TestConsentPageShowsAuthorizationDetailsWhole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	long := strings.Repeat("long ", 600) + "end"
	s.ask(func(request *store.AuthorizationRequest) {
		request.Scope = nil
		request.AuthorizationDetails = json.RawMessage(`[
			{"type":"payment_initiation","instructedAmount":{"currency":"EUR","amount":"123.50"},"creditorName":"<b>Shop</b>\u202e&lt;"},
			{"type":"<script>","note":"` + long + `","</dd><script>alert(1)</script>":"x"}]`)
	})
	consent := s.browser().consentPage()
	for _, want := range []string{
		"Make this payment from your account", "Amount 123.50 EUR", "Creditor name <b>Shop</b>⟨U+202E⟩&lt;",
		"<script>", "Note " + long, "</dd><script>alert(1)</script> x",
	} {
		if !strings.Contains(consent.text, want) {
			t.Errorf("the page does not say %q: %s", want, consent.text)
		}
	}
	for _, not := range []string{"no particular permission", "be able to"} {
		if strings.Contains(consent.text, not) {
			t.Errorf("the page says %q", not)
		}
	}
}

// What cannot be shown is not asked.
func TestUnreadableDetailsAreNotAskedFor(t *testing.T) {
	t.Parallel()
	types := testDetailsTypes(t)
	for _, details := range []string{`{}`, `[1]`, `[{"type":1}]`, `[{"type":"t","a":1,"a":2}]`} {
		if texts, err := describeDetails(&english, types, json.RawMessage(details)); err == nil {
			t.Errorf("%s is shown as %v", details, texts)
		}
	}
}

func FuzzDescribeDetails(f *testing.F) {
	f.Add(`[{"type":"payment_initiation","instructedAmount":{"currency":"EUR","amount":"1"},"a":[{"b":[null,true]}]}]`)
	f.Add(`[{"type":"\u202e","\u0000":"\u2066","x":[[],{},""]}]`)
	types, err := authorizationdetails.Load(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, details string) {
		texts, err := describeDetails(&english, types, json.RawMessage(details))
		if err != nil {
			return
		}
		if !json.Valid([]byte(details)) && details != "" {
			t.Fatal("what is not JSON was described")
		}
		for _, text := range texts {
			for _, row := range text.Rows {
				for _, shown := range append(row.Values, row.Label, text.Type) {
					if strings.ContainsFunc(shown, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
						t.Fatalf("%q is shown", shown)
					}
				}
				if len(row.Values) == 0 {
					t.Fatalf("the row %q has no value", row.Label)
				}
			}
		}
	})
}
