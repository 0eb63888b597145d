package main

import "github.com/fapi-operator/fapi-operator/test/fapitest"

// visit is a script of the suite's browser for addresses that match.
type visit struct {
	Match string `json:"match"`
	// Limit is how often the script serves; the next that matches serves then. No limit when zero.
	Limit int    `json:"match-limit,omitempty"`
	Tasks []task `json:"tasks"`
}

// task is what the browser does on one page; an optional one is left out when
// the browser is elsewhere.
type task struct {
	Task     string  `json:"task"`
	Match    string  `json:"match"`
	Optional bool    `json:"optional,omitempty"`
	Commands [][]any `json:"commands"`
}

// pageSeconds is how long a page may take.
const pageSeconds = 10

// modulePrefix is common to the names of all modules.
const modulePrefix = "fapi2-security-profile-final-"

// browser scripts what a person does at the server's pages.
type browser struct {
	issuer string
	person fapitest.Person
}

// usual is the script of modules that end well, or before a browser is needed.
func (b browser) usual() []visit { return b.visits(b.decide("approve")) }

// special are the scripts of modules that need another one, by the module's full name.
func (b browser) special() map[string]browserOverride {
	scripts := map[string][]visit{
		"user-rejects-authentication":                                     b.visits(b.decide("deny")),
		"par-ensure-reused-request-uri-prior-to-auth-completion-succeeds": append(b.once(b.loginIsShown()), b.usual()...),
		"par-attempt-reuse-request_uri":                                   append(b.once(b.decide("approve")), b.visits(b.errorPage("invalid_request_uri"))...),
		"par-attempt-to-use-expired-request_uri":                          b.visits(b.errorPage("invalid_request_uri")),
		"par-attempt-to-use-request_uri-for-different-client":             b.visits(b.errorPage("invalid_request")),
		"ensure-unsigned-authorization-request-without-using-par-fails":   b.visits(b.errorPage("invalid_request")),
	}
	overrides := make(map[string]browserOverride, len(scripts))
	for module, visits := range scripts {
		overrides[modulePrefix+module] = browserOverride{visits}
	}
	return overrides
}

// browserOverride replaces the configuration's member for one module.
type browserOverride struct {
	Browser []visit `json:"browser"`
}

func (b browser) visits(tasks []task) []visit {
	return []visit{{Match: b.issuer + "/*", Tasks: tasks}}
}

func (b browser) once(tasks []task) []visit {
	return []visit{{Match: b.issuer + "/*", Limit: 1, Tasks: tasks}}
}

// decide logs in, unless an earlier visit of the module has, and clicks approve or deny.
func (b browser) decide(button string) []task {
	return []task{
		{Task: "log in", Match: b.issuer + "*/login*", Optional: true, Commands: [][]any{
			{"text", "id", "username", b.person.Username},
			{"text", "id", "password", b.person.Password},
			{"click", "id", "login"},
		}},
		{Task: button, Match: b.issuer + "*/consent*", Commands: [][]any{{"click", "id", button}}},
		{Task: "return to the client", Match: "*/test/*/callback*", Commands: [][]any{
			{"wait", "id", "submission_complete", pageSeconds},
		}},
	}
}

func (b browser) loginIsShown() []task {
	return []task{{Task: "see the login page", Match: b.issuer + "*/login*", Commands: [][]any{
		{"wait", "id", "login", pageSeconds},
	}}}
}

// errorPage shows the suite the server's error page, which names the error code.
func (b browser) errorPage(code string) []task {
	return []task{{Task: "see the error page", Match: b.issuer + "/*", Commands: [][]any{
		{"wait", "id", "error", pageSeconds, code, "update-image-placeholder"},
	}}}
}
