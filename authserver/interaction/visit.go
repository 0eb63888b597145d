package interaction

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// interactionCookiePrefix is followed by the handle.
const interactionCookiePrefix = "__Host-interaction-"

// maxInteractionCookies is how many requests one browser may have open; the
// oldest go first. It bounds the Cookie header, whoever sends the browser here.
const maxInteractionCookies = 16

// Why a visit finds no interaction.
var (
	errAnswered     = errors.New("the request is already answered")
	errExpired      = errors.New("the request has expired")
	errOtherBrowser = errors.New("the browser has no cookie for the request")
)

// visit is one browser's view of one interaction.
type visit struct {
	handle      handle
	secret      oauth.Secret
	interaction store.Interaction
}

func newVisit(now time.Time) visit {
	return visit{handle: newHandle(now), secret: oauth.NewSecret()}
}

// visitOf finds the interaction that the request's address and cookie name.
func (p *Pages) visitOf(r *http.Request) (visit, error) {
	h, ok := parseHandle(r.URL.Query().Get(handleParam))
	if !ok {
		return visit{}, errOtherBrowser
	}
	now := p.Now()
	cookie, err := r.Cookie(interactionCookiePrefix + string(h))
	if err != nil {
		return visit{}, whyGone(h, now, errOtherBrowser)
	}
	v := visit{handle: h, secret: oauth.SecretFrom(cookie.Value)}
	v.interaction, err = p.Interactions.Interaction(r.Context(), v.secret.Digest(), now)
	if errors.Is(err, store.ErrNotFound) {
		return visit{}, whyGone(h, now, errAnswered)
	}
	return v, err
}

func whyGone(h handle, now time.Time, otherwise error) error {
	if h.expired(now) {
		return errExpired
	}
	return otherwise
}

// formToken is what a form must send back. Only a page that was made for this
// browser, interaction and purpose contains it.
func (v visit) formToken(purpose ...string) string {
	mac := hmac.New(sha256.New, []byte(v.secret.Reveal()))
	_, _ = mac.Write([]byte(strings.Join(purpose, "\x00"))) // hash.Hash.Write never fails.
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// loginToken is the form token of the login page.
func (v visit) loginToken() string { return v.formToken("login") }

// consentToken is the form token of the consent page: it covers the login on
// which the page was shown.
func (v visit) consentToken() string {
	authentication := v.interaction.Authentication
	return v.formToken("consent", authentication.Subject, authentication.Time.UTC().Format(time.RFC3339Nano))
}

// setInteractionCookies gives the browser the new visit's secret and takes the
// oldest ones away when there are too many.
func setInteractionCookies(w http.ResponseWriter, r *http.Request, v visit) {
	for _, name := range surplusInteractionCookies(r) {
		http.SetCookie(w, hostCookie(name, "", -1))
	}
	maxAge := int(fapi.InteractionLifetime / time.Second)
	http.SetCookie(w, hostCookie(interactionCookiePrefix+string(v.handle), v.secret.Reveal(), maxAge))
}

// surplusInteractionCookies names what must go to leave room for one more.
func surplusInteractionCookies(r *http.Request) []string {
	var names []string
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, interactionCookiePrefix) {
			names = append(names, cookie.Name)
		}
	}
	slices.Sort(names)
	return names[:max(0, len(names)-maxInteractionCookies+1)]
}

// hostCookie makes a cookie as the package comment explains it. maxAge is in
// seconds: 0 lasts until the browser closes, a negative one removes the cookie.
func hostCookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, MaxAge: maxAge,
		Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
