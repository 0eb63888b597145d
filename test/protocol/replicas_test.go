package protocol

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// twoServers are two replicas of one authorization server, over one database.
func twoServers(t *testing.T) (here, there *fapitest.Server) {
	t.Helper()
	here = fapitest.StartServerOn(t, pgcluster.New(t))
	return here, here.StartReplica(t)
}

// TestHappyFlowOnPostgreSQL is TestHappyFlow with the other store.
func TestHappyFlowOnPostgreSQL(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServerOn(t, pgcluster.New(t))
	for name, profile := range map[string]fapitest.Profile{"dpop": keyAndDPoP, "mtls": keyAndMTLS} {
		client := server.Register(t, "bank."+name, profile)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			happyFlow(t, server, client.Client)
		})
	}
}

// TestRestartOnPostgreSQL: what was issued before a restart is good after it, keys included.
func TestRestartOnPostgreSQL(t *testing.T) {
	t.Parallel()
	stopped := fapitest.StartServerOn(t, pgcluster.New(t))
	client := stopped.Register(t, "staying", keyAndMTLS).Client
	tokens := flow(t, stopped, client)
	stopped.Stop()
	stopped.Start(t)
	t.Cleanup(stopped.Stop)
	wantUserInfo(t, client.With(fapitest.Misbehave{}), tokens.AccessToken)
}

// TestFlowAcrossReplicas: every step is taken at the other replica than the one before.
func TestFlowAcrossReplicas(t *testing.T) {
	t.Parallel()
	here, there := twoServers(t)
	client := here.Register(t, "wandering", keyAndDPoP).Client
	elsewhere := there.At(client)
	authorization := push(t, elsewhere)
	browserHere, browserThere := client.NewBrowser(), elsewhere.NewBrowser()
	defer browserHere.Close()
	browserThere.ShareCookies(browserHere)

	address, err := client.AuthorizationURL(t.Context(), authorization)
	if err != nil {
		t.Fatal(err)
	}
	page, err := browserHere.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if page, err = here.Person.LogIn(t.Context(), browserThere, page); err != nil {
		t.Fatal(err)
	}
	if page, err = here.Person.Decide(t.Context(), browserHere, page); err != nil || page.Callback == nil {
		t.Fatalf("want a callback: %v, %v", page, err)
	}
	callback, err := elsewhere.ReadCallback(t.Context(), authorization, page.Callback)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := elsewhere.Redeem(t.Context(), authorization, callback.Code)
	if err != nil {
		t.Fatal(err)
	}
	wantUserInfo(t, client, tokens.AccessToken)
	refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	wantUserInfo(t, elsewhere, refreshed.AccessToken)

	// A replay at the other replica ends the grant at both.
	_, err = client.Redeem(t.Context(), authorization, callback.Code)
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
	for _, at := range []*fapitest.Client{client, elsewhere} {
		_, err = at.UserInfo(t.Context(), refreshed.AccessToken)
		wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
		_, err = at.Refresh(t.Context(), tokens.RefreshToken, "")
		wantRefusal(t, err, badRequest, oauth.InvalidGrant)
	}
}

// TestRegistrationAcrossReplicas: what one replica has answered, the other knows at once.
func TestRegistrationAcrossReplicas(t *testing.T) {
	t.Parallel()
	here, there := twoServers(t)
	for i := range 3 {
		registered := here.Register(t, fmt.Sprintf("fresh-%d", i), keyAndDPoP)
		client := there.At(registered.Client)
		push(t, client)

		suspended := registered.Metadata
		suspended.Suspended = new(true)
		here.Put(t, suspended)
		_, err := client.Push(t.Context(), client.NewAuthorization())
		wantRefusal(t, err, badRequestUnauthorized)
		there.Put(t, registered.Metadata)
		push(t, registered.Client)

		owner := registration.Owner{Installation: "test", Namespace: "bank", Name: registered.ClientID}
		if err := there.Registrar.Delete(t.Context(), registered.ClientID, owner); err != nil {
			t.Fatal(err)
		}
		_, err = registered.Push(t.Context(), registered.NewAuthorization())
		wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient)
	}
}

// TestReplayAcrossReplicas: an assertion and a proof that one replica has seen are
// used at the other one, too.
func TestReplayAcrossReplicas(t *testing.T) {
	t.Parallel()
	here, there := twoServers(t)
	client := here.Register(t, "replayed", keyAndDPoP).Client
	sameAssertion := fapitest.Misbehave{Assertion: func(claims fapitest.Claims) { claims["jti"] = "the-same-assertion" }}
	push(t, client.With(sameAssertion))
	_, err := there.At(client.With(sameAssertion)).Push(t.Context(), client.NewAuthorization())
	wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient)

	tokens := flow(t, here, client)
	sameProof := fapitest.Misbehave{Proof: func(claims fapitest.Claims) { claims["jti"] = "the-same-proof" }}
	wantUserInfo(t, client.With(sameProof), tokens.AccessToken)
	_, err = there.At(client.With(sameProof)).UserInfo(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized})
}

// TestSessionAcrossReplicas: who has logged in at one replica is not asked at the other.
func TestSessionAcrossReplicas(t *testing.T) {
	t.Parallel()
	here, there := twoServers(t)
	client := here.Register(t, "remembered", keyAndDPoP).Client
	elsewhere := there.At(client)
	browser, browserThere := client.NewBrowser(), elsewhere.NewBrowser()
	defer browser.Close()
	browserThere.ShareCookies(browser)
	if _, err := client.AuthorizeWith(t.Context(), browser, push(t, client), here.Person); err != nil {
		t.Fatal(err)
	}
	nobody := fapitest.Person{Username: "nobody", Password: "is asked for a password"}
	if _, err := elsewhere.AuthorizeWith(t.Context(), browserThere, push(t, elsewhere), nobody); err != nil {
		t.Fatal(err)
	}
}

// TestCodeRaceAcrossReplicas: of many redemptions of one code, at both replicas at
// the same time, one succeeds, and its tokens end with the grant.
func TestCodeRaceAcrossReplicas(t *testing.T) {
	t.Parallel()
	here, there := twoServers(t)
	client := here.Register(t, "racing", keyAndDPoP).Client
	for range 3 {
		authorization, issued := code(t, here, client)
		const racers = 8
		type outcome struct {
			tokens fapitest.TokenResponse
			err    error
		}
		outcomes := make(chan outcome, racers)
		for i := range racers {
			racer := client.With(fapitest.Misbehave{})
			if i%2 == 1 {
				racer = there.At(client)
			}
			go func() {
				tokens, err := racer.Redeem(t.Context(), authorization, issued)
				outcomes <- outcome{tokens, err}
			}()
		}
		var won []fapitest.TokenResponse
		for range racers {
			o := <-outcomes
			if o.err == nil {
				won = append(won, o.tokens)
				continue
			}
			wantRefusal(t, o.err, badRequest, oauth.InvalidGrant)
		}
		if len(won) != 1 {
			t.Fatalf("one code was redeemed %d times", len(won))
		}
		_, err := there.At(client).UserInfo(t.Context(), won[0].AccessToken)
		wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
	}
}

// TestDatabaseCrash: the database goes down and comes back under running servers;
// what it acknowledged is there, a used code is used.
func TestDatabaseCrash(t *testing.T) {
	t.Parallel()
	cluster := pgcluster.Start(t, pgcluster.Durable)
	server := fapitest.StartServerOn(t, cluster.Database(t))
	client := server.Register(t, "surviving", keyAndDPoP).Client
	authorization, issued := code(t, server, client)
	cluster.Crash(t)
	cluster.Restart(t)
	tokens, err := client.Redeem(t.Context(), authorization, issued)
	if err != nil {
		t.Fatal(err)
	}
	cluster.Crash(t)
	started := time.Now()
	_, err = client.Refresh(t.Context(), tokens.RefreshToken, "")
	wantRefusal(t, err, []int{http.StatusInternalServerError, http.StatusServiceUnavailable}, oauth.ServerError)
	t.Logf("without a database the answer came after %s", time.Since(started).Round(time.Millisecond))
	cluster.Restart(t)
	wantUserInfo(t, client, tokens.AccessToken)
	_, err = client.Redeem(t.Context(), authorization, issued)
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
	_, err = client.UserInfo(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
}
