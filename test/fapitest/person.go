package fapitest

import "context"

// Person sits before the browser.
type Person struct {
	Username string
	Password string
	// Denies clicks deny instead of approve.
	Denies bool
}

// Ids of the elements of the login, the consent and the error page.
const (
	idError    = "error"
	idUsername = "username"
	idPassword = "password"
	idLogin    = "login"
	idApprove  = "approve"
	idDeny     = "deny"
)

// answer logs in and decides, on whatever of the two pages is shown.
func (p Person) answer(ctx context.Context, browser *Browser, page *Page) (*Page, error) {
	var err error
	if page.Has(idLogin) {
		if page, err = p.LogIn(ctx, browser, page); err != nil {
			return nil, err
		}
	}
	if page.Has(idApprove) {
		return p.Decide(ctx, browser, page)
	}
	return page, nil
}

// LogIn fills in the login page.
func (p Person) LogIn(ctx context.Context, browser *Browser, page *Page) (*Page, error) {
	return browser.Click(ctx, page, idLogin, map[string]string{idUsername: p.Username, idPassword: p.Password})
}

// Decide answers the consent page.
func (p Person) Decide(ctx context.Context, browser *Browser, page *Page) (*Page, error) {
	button := idApprove
	if p.Denies {
		button = idDeny
	}
	return browser.Click(ctx, page, button, nil)
}
