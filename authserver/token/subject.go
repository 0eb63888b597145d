package token

import "strings"

// personPrefix starts the subject of every person. A client_id starts with a
// letter or a digit, and with client credentials it is the subject: so no client
// can pass for a person (RFC 9700, 4.15; RFC 9068, 5).
const personPrefix = "~"

// PersonSubject makes a person's subject out of an account's identifier, which
// never changes and is never given to another person.
func PersonSubject(account string) string { return personPrefix + account }

// IsPersonSubject tells a person's subject from a client's.
func IsPersonSubject(subject string) bool {
	return strings.HasPrefix(subject, personPrefix) && subject != personPrefix
}
