package interaction

import (
	"net/http"

	"golang.org/x/text/language"
)

// words are what the pages say, in one language. No field is empty, and each map
// has the keys of its siblings in the other languages.
type words struct {
	// Tag is the language (BCP 47), the page's lang.
	Tag string

	LogIn, LoginAsked, Username, Password, Unexpected string
	WrongCredentials                                  string
	// Throttled has one %d: the seconds to wait.
	Throttled string

	AllowAccess                        string
	AllowQuestion                      sentence // around the client's name
	LoggedInAs, SwitchAccount          string
	DetailsHeading, NothingStated      string
	Yes, No                            string
	ScopesHeading, NoScopes            string
	ScopesTooHeading                   string // where details stand above
	ClaimsHeading                      string
	ResourcesHeading                   string
	Destination                        sentence // around the host, or DestinationApp
	DestinationApp                     string
	Allow, Deny                        string
	Application, Identifier, More      string
	Website, PrivacyPolicy, Terms      string
	ErrorCode, ErrorDetail, BrokenRule string

	Answered, Expired, OtherBrowser, StaleForm notice
	CannotComplete                             string
	StartAgain, TellThem                       string
	OurFault, LinkUsed, NotAllowed             string

	// Scopes describes the scope values of OpenID Connect Core, 5.4 and 11.
	Scopes map[string]string
	// Details labels the members of RFC 9396, 2.2, which every type of authorization details may have.
	Details map[string]string
	// Claims names personalClaims.
	Claims map[string]string
}

// sentence is a sentence around something that a template puts in.
type sentence struct{ Before, After string }

// notice is a page that ends a visit or sends the person back.
type notice struct{ Heading, Description, Advice string }

// languages are those that the pages speak. The first is spoken to whoever asks
// for none of them.
var languages = []*words{&english, &german}

var matcher = func() language.Matcher {
	tags := make([]language.Tag, len(languages))
	for i, spoken := range languages {
		tags[i] = language.MustParse(spoken.Tag)
	}
	return language.NewMatcher(tags)
}()

// Languages lists the languages of the pages (BCP 47), for ui_locales_supported.
func Languages() []string {
	tags := make([]string, len(languages))
	for i, spoken := range languages {
		tags[i] = spoken.Tag
	}
	return tags
}

// maxAcceptLanguage is the longest Accept-Language header that is read, in bytes;
// our own choice, for what any browser sends.
const maxAcceptLanguage = 512

// speak picks the language: what the client asks for (ui_locales; OpenID Connect
// Core, 3.1.2.1), else what the browser does. What is no language, or none of ours,
// is passed over.
func speak(r *http.Request, uiLocales []string) *words {
	var asked []language.Tag
	for _, locale := range uiLocales {
		if tag, err := language.Parse(locale); err == nil {
			asked = append(asked, tag)
		}
	}
	if spoken, ok := match(asked); ok {
		return spoken
	}
	accepted := r.Header.Get("Accept-Language")
	if len(accepted) > maxAcceptLanguage {
		return languages[0]
	}
	tags, _, err := language.ParseAcceptLanguage(accepted)
	if err != nil {
		return languages[0]
	}
	spoken, _ := match(tags)
	return spoken
}

// match also tells whether any of the tags has a language of ours.
func match(tags []language.Tag) (*words, bool) {
	_, index, confidence := matcher.Match(tags...)
	return languages[index], confidence != language.No
}
