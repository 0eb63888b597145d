package fapi

import "github.com/fapi-operator/fapi-operator/authserver/oauth"

// PageVisit is a visit to a login or consent page, and what was found out about it.
type PageVisit struct {
	// Browser is true for the browser in which the interaction began.
	Browser bool
	// InTime is true while the interaction lives; Open until it was answered.
	InTime bool
	Open   bool
	// Readable is false for a form that is too long, or no form.
	Readable bool
	// Form is true for a form of the page that was shown last, sent from this site,
	// and where none was sent.
	Form bool
}

// pageVisitRules holds for every login and consent page. None of their refusals
// goes to the client: whoever breaks them is not known to be its user.
var pageVisitRules = []Rule[PageVisit]{
	{
		ID: "LOCAL-PAGE-TIME", Clause: "our own limit", Code: oauth.AccessDenied,
		Demand: "a person answers within 30 minutes",
		Remedy: "start again from the application", Member: "interaction",
		Holds: func(v PageVisit) bool { return v.InTime },
	},
	{
		ID: "LOCAL-PAGE-BROWSER", Clause: "RFC 6749, 10.12; the means are our own choice", Code: oauth.AccessDenied,
		Demand: "the person answers in the browser in which the request was opened",
		Remedy: "allow cookies for this site, and start again from the application", Member: "interaction",
		Holds: func(v PageVisit) bool { return v.Browser },
	},
	{
		ID: "LOCAL-PAGE-ONCE", Clause: "FAPI 2.0 Security Profile, 5.3.2.2, note 3", Code: oauth.AccessDenied,
		Demand: "a request is answered once",
		Remedy: "go back to the application", Member: "interaction",
		Holds: func(v PageVisit) bool { return v.Open },
	},
	{
		ID: "LOCAL-PAGE-FORM-SIZE", Clause: "our own limit", Code: oauth.InvalidRequest,
		Demand: "a form can be read, and is not too long",
		Remedy: "send the page's own form", Member: "*",
		Holds: func(v PageVisit) bool { return v.Readable },
	},
	{
		ID: "LOCAL-PAGE-FORM", Clause: "RFC 6749, 10.12; the means are our own choice", Code: oauth.AccessDenied,
		Demand: "a form comes from the page that was shown last, and from this site: nobody else can send it in the person's name",
		Remedy: "reload the page, and try again", Member: "token",
		Holds: func(v PageVisit) bool { return v.Form },
	},
}

// CheckPageVisit refuses a visit at the first rule that it breaks.
func CheckPageVisit(v PageVisit) *oauth.Error { return firstBroken(pageVisitRules, v) }

// Login is an attempt to log in, and what was found out about it.
type Login struct {
	// WithinBudget is false while too many logins have failed from the address, or
	// for the name; Known is true for a user's name with that user's password.
	WithinBudget bool
	Known        bool
}

// loginRules holds for every attempt to log in.
var loginRules = []Rule[Login]{
	{
		ID: "LOCAL-LOGIN-THROTTLE", Clause: "RFC 6749, 10.10; the budgets are our own choice", Code: oauth.AccessDenied,
		Demand: "no more logins fail, from one address and for one name, than their budgets allow",
		Remedy: "wait as long as the page says", Member: "username",
		Holds: func(l Login) bool { return l.WithinBudget },
	},
	{
		ID: "LOCAL-LOGIN-CREDENTIALS", Clause: "our own policy", Code: oauth.AccessDenied,
		Demand: "the username is a user's, and the password that user's",
		Remedy: "try again, or ask for another password", Member: "password",
		Holds: func(l Login) bool { return l.Known },
	},
}

// CheckLogin refuses an attempt to log in at the first rule that it breaks.
func CheckLogin(l Login) *oauth.Error { return firstBroken(loginRules, l) }
