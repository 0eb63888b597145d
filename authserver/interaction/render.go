package interaction

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed templates/style.css
var styleSheet string

// The pages. Each is the layout with its own title and body.
var (
	loginTemplate   = parsePage("login.html")
	consentTemplate = parsePage("consent.html")
	messageTemplate = parsePage("message.html")
)

func parsePage(file string) *template.Template {
	return template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/"+file))
}

// layout is what every page is made of.
type layout struct {
	Words       *words
	ServiceName string
	Style       template.CSS
	Page        any
}

// Values of the form-action directive. The consent page has none, and the login
// page where it may end in a refusal: browsers hold a form's target to it through
// all redirects, and an answer leads to the client and from there to wherever the
// client likes.
const (
	formActionSelf      = "; form-action 'self'"
	formActionNone      = "; form-action 'none'"
	formActionAnyTarget = ""
)

// contentSecurityPolicy allows the one style sheet, by its hash, and nothing else.
var contentSecurityPolicy = func() string {
	digest := sha256.Sum256([]byte(styleSheet))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
		"'; base-uri 'none'; frame-ancestors 'none'"
}()

// setSecurityHeaders keeps a page out of frames, caches and other sites' logs.
// The referrer policy is same-origin and not no-referrer, which would make
// browsers send "Origin: null" with our own forms; other sites get no referrer
// under either. Strict-Transport-Security is the listener's, for every endpoint.
func setSecurityHeaders(header http.Header, formAction string) {
	header.Set("Content-Security-Policy", contentSecurityPolicy+formAction)
	header.Set("X-Frame-Options", "DENY")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

// render writes a page. It is made in memory first, so that a failure never
// leaves half a page.
func (p *Pages) render(w http.ResponseWriter, r *http.Request, status int, formAction string, t *template.Template, spoken *words, page any) {
	var body bytes.Buffer
	err := t.ExecuteTemplate(&body, "layout.html", layout{spoken, p.ServiceName, template.CSS(styleSheet), page})
	if err != nil {
		p.Log.ErrorContext(r.Context(), "page cannot be made", "template", t.Name(), "error", err)
		http.Error(w, "The page cannot be shown. Please try again.", http.StatusInternalServerError)
		return
	}
	setSecurityHeaders(w.Header(), formAction)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // The person has gone; nobody is left to tell.
}
