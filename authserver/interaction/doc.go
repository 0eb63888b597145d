// Package interaction is the part of the authorization server that a person
// sees: the login page, the consent page and the error page. It also keeps
// browser sessions and the local users' file.
//
// # Which browser, which request
//
// One browser may answer several authorization requests at once, a tab each. So
// every interaction has its own cookie, which holds a secret of 256 bits; the
// store knows the interaction by the secret's digest alone. The cookie's name
// ends in a handle, and the page's address carries the same handle: it says
// which of the browser's cookies is meant and proves nothing. Whoever is sent
// the address without the cookie can neither see nor answer the request. A
// single cookie for all interactions would do too, but two tabs that are opened
// at the same moment would overwrite each other's.
//
// # What the cookies are
//
// All of them are __Host- cookies (Secure, Path=/, no Domain), so that no other
// host can plant one, and HttpOnly. They are SameSite=Lax: a person arrives by a
// navigation from the client's site, and with Strict the browser would send no
// cookie on that navigation nor on the redirects that follow it, the one to the
// login page included. Lax sends none with a POST from another site.
//
// # Which language
//
// The pages speak the language that the client asks for (ui_locales), or else the
// browser. A language is one value of type words; what clients' developers read,
// the rules, stays in English.
//
// # What stops forged posts
//
// A POST must come from the same origin as far as the browser tells
// (http.CrossOriginProtection), and must carry a token that is derived from the
// interaction's secret. The consent page's token also covers who is logged in,
// so that nobody approves in another person's name because a second tab has
// changed the account meanwhile.
package interaction
