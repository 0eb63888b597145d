package faults

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// patience is how long a client tries for an answer: longer than any restart.
const patience = time.Minute

// worker is one client and one person with a browser, who do one flow after the other.
type worker struct {
	client  *fapitest.Client
	browser *fapitest.Browser
	person  fapitest.Person
	service service
	ledger  *ledger
	flows   []*flow
}

// service tells a client that had no answer when to try again.
type service interface {
	// await returns once there is a server, or ctx has ended.
	await(ctx context.Context)
}

// flow is one authorization with what was acknowledged of it.
type flow struct {
	authorization *fapitest.Authorization
	code          string
	tokens        fapitest.TokenResponse
	// ended: its revocation was acknowledged, or its code was presented once more.
	ended bool
}

// work does flows until stopping is closed.
func (w *worker) work(ctx context.Context, stopping <-chan struct{}) {
	for ctx.Err() == nil {
		select {
		case <-stopping:
			return
		default:
		}
		if done := w.complete(ctx); done != nil {
			w.flows = append(w.flows, done)
			w.goOn(ctx, done)
		}
		if len(w.flows) > 0 {
			w.check(ctx, w.flows[rand.IntN(len(w.flows))])
		}
	}
}

// complete does a flow up to its tokens. It is nil where it could not go on after
// an answer that never came, as a client cannot whose code was in that answer.
func (w *worker) complete(ctx context.Context) *flow {
	f := &flow{authorization: w.client.NewAuthorization()}
	if _, err := w.answer(ctx, func() error { return w.client.Learn(ctx) }); err != nil {
		w.ledger.lose("what the server publishes", err)
		return nil
	}
	if _, err := w.answer(ctx, func() error { _, err := w.client.Push(ctx, f.authorization); return err }); err != nil {
		w.ledger.lose("a registration (its client's request is refused)", err)
		return nil
	}
	again, err := w.answer(ctx, func() error {
		callback, err := w.client.AuthorizeWith(ctx, w.browser, f.authorization, w.person)
		f.code = callback.Code
		return err
	})
	if err != nil {
		w.loseUnless(again, "a pushed request", err)
		return nil
	}
	again, err = w.answer(ctx, func() (err error) { f.tokens, err = w.client.Redeem(ctx, f.authorization, f.code); return err })
	if err != nil {
		w.loseUnless(again, "a code", err)
		return nil
	}
	w.ledger.granted()
	return f
}

// goOn does one of the things that may come after the tokens.
func (w *worker) goOn(ctx context.Context, f *flow) {
	switch rand.IntN(6) {
	case 0:
		w.revoke(ctx, f)
	case 1:
		w.redeemAgain(ctx, f)
	case 2:
		w.authorizeAgain(ctx, f)
	case 3:
		w.replay(ctx)
	}
}

// revoke revokes the refresh token, and with it the grant.
func (w *worker) revoke(ctx context.Context, f *flow) {
	if _, err := w.answer(ctx, func() error { return w.client.Revoke(ctx, f.tokens.RefreshToken) }); err != nil {
		w.ledger.lose("the right to revoke", err)
		return
	}
	f.ended = true
}

// redeemAgain presents the code once more, which also ends the grant (RFC 6749, 4.1.2).
func (w *worker) redeemAgain(ctx context.Context, f *flow) {
	_, err := w.answer(ctx, func() error { _, err := w.client.Redeem(ctx, f.authorization, f.code); return err })
	if err == nil {
		w.ledger.double("a code was redeemed again")
	}
	f.ended = true
}

// authorizeAgain opens the link of a completed authorization once more.
func (w *worker) authorizeAgain(ctx context.Context, f *flow) {
	_, err := w.answer(ctx, func() error { _, err := w.client.AuthorizeWith(ctx, w.browser, f.authorization, w.person); return err })
	if err == nil {
		w.ledger.double("a request_uri gave a second code")
	}
}

// replay uses one client assertion twice: the second time it must be refused.
func (w *worker) replay(ctx context.Context) {
	jti := oauth.NewSecret().Reveal()
	same := w.client.With(fapitest.Misbehave{Assertion: func(claims fapitest.Claims) { claims["jti"] = jti }})
	defer same.Close()
	push := func() error { _, err := same.Push(ctx, same.NewAuthorization()); return err }
	if again, err := w.answer(ctx, push); err != nil {
		w.loseUnless(again, "a registration (its client's assertion is refused)", err)
		return
	}
	if _, err := w.answer(ctx, push); err == nil {
		w.ledger.double("a client assertion was used twice")
	}
}

// check looks whether the servers still hold to what they acknowledged of the flow.
func (w *worker) check(ctx context.Context, f *flow) {
	var refreshed fapitest.TokenResponse
	_, err := w.answer(ctx, func() (err error) { refreshed, err = w.client.Refresh(ctx, f.tokens.RefreshToken, ""); return err })
	if ctx.Err() != nil {
		return
	}
	w.ledger.checked()
	if f.ended {
		w.checkEnded(ctx, f, err)
		return
	}
	if err == nil {
		_, err = w.answer(ctx, func() error { _, err := w.client.UserInfo(ctx, refreshed.AccessToken); return err })
	}
	if err != nil {
		w.ledger.lose("a grant", err)
	}
}

func (w *worker) checkEnded(ctx context.Context, f *flow, refreshError error) {
	if refreshError == nil {
		w.ledger.lose("a revocation", errors.New("the refresh token is good"))
	}
	if _, err := w.answer(ctx, func() error { _, err := w.client.UserInfo(ctx, f.tokens.AccessToken); return err }); err == nil {
		w.ledger.lose("a revocation", errors.New("the access token is good"))
	}
}

// checkAll checks every flow.
func (w *worker) checkAll(ctx context.Context) {
	for _, f := range w.flows {
		w.check(ctx, f)
	}
}

// answer does the operation until it is answered, as a client does that got no
// answer. again tells that there were tries without one: what the operation does
// may have been done by one of them. The error is a refusal.
func (w *worker) answer(ctx context.Context, operation func() error) (again bool, refusal error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := operation()
		if isAnswer(err) {
			w.ledger.answered()
			return again, err
		}
		if ctx.Err() != nil {
			return again, err
		}
		w.ledger.cut()
		again = true
		w.service.await(ctx)
	}
}

// loseUnless records a loss, unless an earlier try may have done it.
func (w *worker) loseUnless(again bool, what string, err error) {
	if !again {
		w.ledger.lose(what, err)
	}
}

// isAnswer tells a success or a refusal from what is no answer: a connection that
// was cut, or a server that could not say what it did. An answer that an honest
// client must not believe is one, and is found to be wrong.
func isAnswer(err error) bool {
	if err == nil {
		return true
	}
	if refused, ok := errors.AsType[*fapitest.ErrorResponse](err); ok {
		return refused.Status < http.StatusInternalServerError
	}
	if shown, ok := errors.AsType[*fapitest.PageError](err); ok {
		return shown.Page.Status < http.StatusInternalServerError
	}
	if sent, ok := errors.AsType[*fapitest.CallbackError](err); ok {
		return sent.Callback.Error != oauth.ServerError
	}
	_, wrong := errors.AsType[*fapitest.CheckError](err)
	return wrong
}
