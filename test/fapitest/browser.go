package fapitest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/html"
)

// Browser is a browser without a screen or JavaScript: it keeps cookies, follows
// redirects within the server, and submits forms.
type Browser struct {
	http *http.Client
	// home is the server's authority: a redirect away from it is the callback.
	home string
}

// Page is what the browser shows, or the address outside the server that it was
// sent to.
type Page struct {
	Status int
	Header http.Header
	URL    *url.URL
	// Callback is the redirect away from the server; nil while a page is shown.
	Callback *url.URL
	// RedirectStatus is the status of the last redirect, 0 without one.
	RedirectStatus int
	document       *html.Node
}

// maxRedirects is more than any honest server needs.
const maxRedirects = 10

// NewBrowser makes a browser without cookies.
func (c *Client) NewBrowser() *Browser {
	jar, _ := cookiejar.New(nil) // Without options it has no way to fail.
	client := c.newTransport(nil)
	client.Jar = &cookies{CookieJar: jar}
	home, err := url.Parse(c.Issuer)
	if err != nil {
		return &Browser{http: client}
	}
	return &Browser{http: client, home: home.Host}
}

// cookies remembers every cookie that it was ever given.
type cookies struct {
	http.CookieJar
	mu    sync.Mutex
	given []string
}

func (c *cookies) SetCookies(from *url.URL, set []*http.Cookie) {
	c.mu.Lock()
	for _, cookie := range set {
		if cookie.Value != "" {
			c.given = append(c.given, cookie.Value)
		}
	}
	c.mu.Unlock()
	c.CookieJar.SetCookies(from, set)
}

// CookiesGiven are the values of all cookies that the browser was ever given.
func (b *Browser) CookiesGiven() []string {
	jar, ok := b.http.Jar.(*cookies)
	if !ok {
		return nil
	}
	jar.mu.Lock()
	defer jar.mu.Unlock()
	return slices.Clone(jar.given)
}

// ShareCookies makes both one browser, whose connections go different ways.
func (b *Browser) ShareCookies(other *Browser) { b.http.Jar = other.http.Jar }

// Close drops idle connections.
func (b *Browser) Close() { b.http.CloseIdleConnections() }

// Open goes to an address.
func (b *Browser) Open(ctx context.Context, address string) (*Page, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("open a page: %w", err)
	}
	return b.follow(request)
}

func (b *Browser) follow(request *http.Request) (*Page, error) {
	redirectStatus := 0
	for range maxRedirects {
		page, next, err := b.load(request)
		if err != nil {
			return nil, err
		}
		if next == nil {
			page.RedirectStatus = redirectStatus
			return page, nil
		}
		redirectStatus = page.Status
		if next.Host != b.home {
			return &Page{Status: page.Status, RedirectStatus: page.Status, Header: page.Header, URL: page.URL, Callback: next}, nil
		}
		if request, err = http.NewRequestWithContext(request.Context(), http.MethodGet, next.String(), nil); err != nil {
			return nil, fmt.Errorf("follow a redirect: %w", err)
		}
	}
	return nil, fmt.Errorf("more than %d redirects, the last to %s", maxRedirects, request.URL.Path)
}

// load makes one request; next is where it redirects to.
func (b *Browser) load(request *http.Request) (page *Page, next *url.URL, err error) {
	response, err := b.http.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("load a page: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // All that counts has been read by then.
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("load a page: %w", err)
	}
	page = &Page{Status: response.StatusCode, Header: response.Header, URL: request.URL}
	if page.document, err = html.Parse(bytes.NewReader(body)); err != nil {
		return nil, nil, fmt.Errorf("read a page: %w", err)
	}
	if location := response.Header.Get("Location"); location != "" && response.StatusCode/100 == 3 {
		next, err = request.URL.Parse(location)
	}
	return page, next, err
}

// Has tells whether the page has an element with the id.
func (p *Page) Has(id string) bool { return p.element(id) != nil }

// Value is what the input with the id is filled in with; "" without one.
func (p *Page) Value(id string) string {
	element := p.element(id)
	if element == nil {
		return ""
	}
	return attribute(element, "value")
}

// Lang is the language that the page says it is in; "" without one.
func (p *Page) Lang() string {
	if p.document == nil {
		return ""
	}
	for node := range p.document.Descendants() {
		if node.Type == html.ElementNode && node.Data == "html" {
			return attribute(node, "lang")
		}
	}
	return ""
}

// Text is the text of the page's main part, in one line.
func (p *Page) Text() string {
	if p.document == nil {
		return ""
	}
	var words []string
	for node := range p.document.Descendants() {
		if node.Type == html.TextNode && node.Parent.Data != "style" && node.Parent.Data != "title" {
			words = append(words, strings.Fields(node.Data)...)
		}
	}
	return strings.Join(words, " ")
}

// defined is what the page's list of definitions says of a term; "" if nothing.
func (p *Page) defined(term string) string {
	if p.document == nil {
		return ""
	}
	for node := range p.document.Descendants() {
		if node.Data == "dt" && textOf(node) == term && node.NextSibling != nil {
			return textOf(node.NextSibling)
		}
	}
	return ""
}

func textOf(node *html.Node) string {
	var text strings.Builder
	for inner := range node.Descendants() {
		if inner.Type == html.TextNode {
			text.WriteString(inner.Data)
		}
	}
	return text.String()
}

func (p *Page) element(id string) *html.Node {
	if p.document == nil {
		return nil
	}
	for node := range p.document.Descendants() {
		if attribute(node, "id") == id {
			return node
		}
	}
	return nil
}

// Click submits the form that the button stands in, with the fields filled in by
// their ids.
func (b *Browser) Click(ctx context.Context, page *Page, button string, fields map[string]string) (*Page, error) {
	element := page.element(button)
	form := enclosingForm(element)
	if form == nil {
		return nil, fmt.Errorf("the page %s has no form with a button %q: %s", page.URL.Path, button, page.Text())
	}
	values := formValues(form, fields)
	if name := attribute(element, "name"); name != "" {
		values.Set(name, attribute(element, "value"))
	}
	target, err := page.URL.Parse(attribute(form, "action"))
	if err != nil {
		return nil, fmt.Errorf("the form's action: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, fmt.Errorf("submit a form: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", page.URL.Scheme+"://"+page.URL.Host)
	return b.follow(request)
}

// formValues are the form's inputs as they stand, or as they are filled in.
func formValues(form *html.Node, fields map[string]string) url.Values {
	values := url.Values{}
	for node := range form.Descendants() {
		if node.Type != html.ElementNode || node.Data != "input" {
			continue
		}
		value, filledIn := fields[attribute(node, "id")]
		if !filledIn {
			value = attribute(node, "value")
		}
		values.Set(attribute(node, "name"), value)
	}
	return values
}

func enclosingForm(node *html.Node) *html.Node {
	for ; node != nil; node = node.Parent {
		if node.Type == html.ElementNode && node.Data == "form" {
			return node
		}
	}
	return nil
}

func attribute(node *html.Node, name string) string {
	for _, attribute := range node.Attr {
		if attribute.Key == name {
			return attribute.Val
		}
	}
	return ""
}
