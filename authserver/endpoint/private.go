package endpoint

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Action does what a request to an API of the private listener asks for. Its
// error is a *Refusal, or something unforeseen.
type Action func(r *http.Request) (Reply, error)

// Reply is an answer of such an API that is no error.
type Reply struct {
	Status int
	// Revision becomes the ETag; 0 for answers that are not about one client.
	Revision int64
	Body     any
}

// Refusal is an error that the caller of such an API can do something about.
type Refusal struct {
	Status int
	Allow  string // the Allow header of a 405
	Body   registration.Refusal
}

func (e *Refusal) Error() string { return string(e.Body.Code) + ": " + e.Body.Description }

// Refuse makes a refusal; the description is shown to the caller.
func Refuse(status int, code oauth.ErrorCode, format string, arguments ...any) *Refusal {
	return &Refusal{Status: status, Body: registration.Refusal{Code: code, Description: fmt.Sprintf(format, arguments...)}}
}

// Malformed refuses a request that cannot be understood.
func Malformed(format string, arguments ...any) *Refusal {
	return Refuse(http.StatusBadRequest, oauth.InvalidRequest, format, arguments...)
}

// MethodNotAllowed refuses every method but those of allow.
func MethodNotAllowed(allow string) Action {
	return func(r *http.Request) (Reply, error) {
		refusal := Refuse(http.StatusMethodNotAllowed, registration.MethodNotAllowed, "%s is not allowed here; allowed are %s", r.Method, allow)
		refusal.Allow = allow
		return Reply{}, refusal
	}
}

// Callers tells whether the owner of a certificate may use an API of the private
// listener. The listener has verified the certificate.
type Callers func(caller *x509.Certificate) bool

// Admit refuses a request whose caller is none of them; setting is where they
// are listed. Without a decision nobody is let in.
func (c Callers) Admit(r *http.Request, setting string) error {
	certificates := mtls.PeerCertificates(r)
	if c == nil || len(certificates) == 0 || !c(certificates[0]) {
		return Refuse(http.StatusForbidden, registration.CallerNotListed, "the names of the caller's certificate are not in %s", setting)
	}
	return nil
}

// CallerNames lists the names of the caller's certificate (subjectAltName).
func CallerNames(r *http.Request) []string {
	certificates := mtls.PeerCertificates(r)
	if len(certificates) == 0 {
		return nil
	}
	names := slices.Clone(certificates[0].DNSNames)
	for _, uri := range certificates[0].URIs {
		names = append(names, uri.String())
	}
	return names
}

// CountRefusal counts what came of an action under every rule that the request
// breaks; under oauth.NoRule for what no rule is about.
func (p *Responder) CountRefusal(r *http.Request, err error) {
	refusal, ok := errors.AsType[*Refusal](err)
	switch {
	case err == nil:
	case !ok:
		p.count(r, "", oauth.ServerError)
	case len(refusal.Body.Violations) == 0:
		p.count(r, "", refusal.Body.Code)
	default:
		for _, violation := range refusal.Body.Violations {
			p.count(r, violation.Rule, refusal.Body.Code)
		}
	}
}

// WriteOutcome answers with what came of an action. Of an unforeseen error the
// caller is told nothing.
func WriteOutcome(w http.ResponseWriter, log *slog.Logger, reply Reply, err error) {
	switch refusal, ok := errors.AsType[*Refusal](err); {
	case err == nil:
		writeReply(w, log, reply)
	case ok:
		if refusal.Allow != "" {
			w.Header().Set("Allow", refusal.Allow)
		}
		writeReply(w, log, Reply{Status: refusal.Status, Body: refusal.Body})
	default:
		writeReply(w, log, Reply{Status: http.StatusInternalServerError, Body: registration.Refusal{Code: oauth.ServerError}})
	}
}

func writeReply(w http.ResponseWriter, log *slog.Logger, reply Reply) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	if reply.Revision != 0 {
		header.Set("ETag", strconv.Quote(strconv.FormatInt(reply.Revision, 10)))
	}
	if reply.Body == nil {
		w.WriteHeader(reply.Status)
		return
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(reply.Status)
	if err := json.NewEncoder(w).Encode(reply.Body); err != nil {
		log.Warn("the answer was not sent whole", "cause", err)
	}
}

// ReadQuery takes each of the named parameters at most once, and no other.
func ReadQuery(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, Malformed("the query is not application/x-www-form-urlencoded")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, Malformed("the query has a parameter that is not known here; known are %v", known)
		}
		if len(values) > 1 {
			return nil, Malformed("the query has %s more than once", name)
		}
	}
	return query, nil
}

// Page sizes of listings; our own choices.
const (
	defaultPageSize = 100
	maxPageSize     = 500
)

// ReadPage reads cursor and limit of a listing's query: the identifier after
// which the page starts, and the most that it may hold.
func ReadPage(query url.Values) (after string, size int, err error) {
	decoded, err := base64.RawURLEncoding.DecodeString(query.Get("cursor"))
	if err != nil {
		return "", 0, Malformed("the cursor is not one of this API; start again without one")
	}
	size, err = parsePageSize(query.Get("limit"))
	return string(decoded), size, err
}

// Cursor stands for the identifier after which the next page starts. It is
// encoded so that nobody builds one.
func Cursor(after string) string { return base64.RawURLEncoding.EncodeToString([]byte(after)) }

func parsePageSize(text string) (int, error) {
	if text == "" {
		return defaultPageSize, nil
	}
	size, err := strconv.Atoi(text)
	if err != nil || size < 1 || size > maxPageSize {
		return 0, Malformed("limit is not a number from 1 to %d", maxPageSize)
	}
	return size, nil
}
