package protocol

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/server"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// runServer makes the test binary a server of its own, which can be killed.
const runServer = "FAPI_PROTOCOL_TEST_CONFIG"

func TestMain(m *testing.M) {
	if file := os.Getenv(runServer); file != "" {
		if err := serve(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(pgcluster.Main(m))
}

// serve is what the authserver command does.
func serve(file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	settings, err := config.Load(file)
	if err != nil {
		return err
	}
	running, err := server.New(ctx, settings, time.Now, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	return running.Run(ctx)
}

// process is a server in a process of its own.
type process struct {
	command *exec.Cmd
	output  bytes.Buffer
}

func startProcess(t *testing.T, prepared *fapitest.Server) *process {
	t.Helper()
	p := &process{command: exec.Command(os.Args[0])}
	p.command.Env = append(os.Environ(), runServer+"="+prepared.ConfigFile)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.awaitReady(t, prepared.HealthURL+"/readyz")
	return p
}

// kill is SIGKILL: the process has no say in it.
func (p *process) kill() {
	_ = p.command.Process.Kill() // It may have been killed before.
	_ = p.command.Wait()
}

func (p *process) awaitReady(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close() // The status is all there is.
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the server did not become ready: %s", p.output.String())
		case <-poll.C:
		}
	}
}

// TestKilledServer: kill and restart at every point of the flow; the flow goes
// on, and no code is redeemed twice.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	prepared := fapitest.Prepare(t)
	running := startProcess(t, prepared)
	again := func() {
		running.kill()
		running = startProcess(t, prepared)
	}
	client := prepared.Register(t, "surviving", keyAndDPoP).Client
	client.Now = time.Now
	browser := client.NewBrowser()
	defer browser.Close()

	again()
	authorization := push(t, client)
	again()
	address, err := client.AuthorizationURL(t.Context(), authorization)
	if err != nil {
		t.Fatal(err)
	}
	page, err := browser.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	again()
	if page, err = prepared.Person.LogIn(t.Context(), browser, page); err != nil {
		t.Fatal(err)
	}
	again()
	if page, err = prepared.Person.Decide(t.Context(), browser, page); err != nil || page.Callback == nil {
		t.Fatalf("want a callback: %v, %v", page, err)
	}
	callback, err := client.ReadCallback(t.Context(), authorization, page.Callback)
	if err != nil {
		t.Fatal(err)
	}
	again()
	tokens, err := client.Redeem(t.Context(), authorization, callback.Code)
	if err != nil {
		t.Fatal(err)
	}
	again()
	wantUserInfo(t, client, tokens.AccessToken)
	if _, err := client.Refresh(t.Context(), tokens.RefreshToken, ""); err != nil {
		t.Fatal(err)
	}
	again()
	_, err = client.Redeem(t.Context(), authorization, callback.Code)
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
	again()
	_, err = client.UserInfo(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
	_, err = client.Authorize(t.Context(), authorization, prepared.Person)
	wantErrorPage(t, err)
}

// TestKilledWhileRedeeming: the kill comes at any moment of many redemptions of
// one code; before and after it, the code is redeemed once at the most.
func TestKilledWhileRedeeming(t *testing.T) {
	t.Parallel()
	prepared := fapitest.Prepare(t)
	running := startProcess(t, prepared)
	client := prepared.Register(t, "surviving", keyAndDPoP).Client
	client.Now = time.Now
	for range 3 {
		authorization, issued := code(t, prepared, client)
		const racers = 4
		outcomes := make(chan error, racers)
		for range racers {
			go func() {
				_, err := client.With(fapitest.Misbehave{}).Redeem(t.Context(), authorization, issued)
				outcomes <- err
			}()
		}
		redeemed := 0
		count := func(err error) {
			if err == nil {
				redeemed++
			}
		}
		count(<-outcomes)
		running.kill()
		running = startProcess(t, prepared)
		for range racers - 1 {
			count(<-outcomes)
		}
		_, err := client.With(fapitest.Misbehave{}).Redeem(t.Context(), authorization, issued)
		count(err)
		if redeemed > 1 {
			t.Fatalf("one code was redeemed %d times", redeemed)
		}
	}
}

// TestRestart: what was issued before a restart is good after it, keys included.
func TestRestart(t *testing.T) {
	t.Parallel()
	stopped := fapitest.StartServer(t)
	client := stopped.Register(t, "staying", keyAndMTLS).Client
	tokens := flow(t, stopped, client)
	stopped.Stop()
	stopped.Start(t)
	t.Cleanup(stopped.Stop)
	wantUserInfo(t, client.With(fapitest.Misbehave{}), tokens.AccessToken)
}
