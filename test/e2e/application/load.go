package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// maxErrors bounds the report.
const maxErrors = 20

// account is what was done, and what went wrong. Times are in milliseconds.
type account struct {
	Flows     int      `json:"flows"`
	Failed    int      `json:"failed"`
	Errors    []string `json:"errors,omitempty"`
	MedianMS  int64    `json:"median_ms"`
	LongestMS int64    `json:"longest_ms"`
	// GapMS is the longest time in which no flow came to its end.
	GapMS int64 `json:"gap_ms"`
}

// load does flows and keeps account of them.
type load struct {
	settings settings
	mu       sync.Mutex
	account  account
	took     []time.Duration
	lastEnd  time.Time
}

func newLoad(settings settings) *load { return &load{settings: settings, lastEnd: time.Now()} }

// work does flows until ctx ends or each caller has done its number.
func (l *load) work(ctx context.Context) (account, error) {
	person, err := l.settings.person()
	if err != nil {
		return account{}, err
	}
	var callers sync.WaitGroup
	for range l.settings.callers {
		callers.Go(func() { l.call(ctx, person) })
	}
	callers.Wait()
	return l.summary(), nil
}

func (l *load) call(ctx context.Context, person fapitest.Person) {
	for done := 0; ctx.Err() == nil && (l.settings.flows == 0 || done < l.settings.flows); done++ {
		began := time.Now()
		// What has begun comes to its end: a flow that is stopped is no failure.
		err := l.flow(context.WithoutCancel(ctx), person)
		l.note(began, err)
	}
}

// flow is one application's whole business with the server: tokens, what they open, and new ones.
func (l *load) flow(ctx context.Context, person fapitest.Person) error {
	client, err := l.settings.client()
	if err != nil {
		return err
	}
	defer client.Close()
	_, tokens, err := client.Flow(ctx, person)
	if err != nil {
		return err
	}
	if _, err := client.UserInfo(ctx, tokens.AccessToken); err != nil {
		return fmt.Errorf("userinfo: %w", err)
	}
	if _, err := client.Refresh(ctx, tokens.RefreshToken, ""); err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	return client.Revoke(ctx, tokens.RefreshToken)
}

func (l *load) note(began time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.account.Flows++
	if err != nil {
		l.account.Failed++
		if len(l.account.Errors) < maxErrors {
			l.account.Errors = append(l.account.Errors, now.UTC().Format(time.RFC3339Nano)+" "+err.Error())
		}
		return
	}
	l.took = append(l.took, now.Sub(began))
	l.account.GapMS = max(l.account.GapMS, now.Sub(l.lastEnd).Milliseconds())
	l.lastEnd = now
}

// report tells whoever asks how it goes, until the returned function is called.
func (l *load) report(address string) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(l.summary()) // Whoever went away is told nothing.
	})}
	go func() { _ = server.Serve(listener) }() // It ends when it is closed.
	return func() { _ = server.Close() }, nil
}

func (l *load) summary() account {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.account
	told.Errors = slices.Clone(told.Errors)
	if len(l.took) > 0 {
		sorted := slices.Sorted(slices.Values(l.took))
		told.MedianMS = sorted[len(sorted)/2].Milliseconds()
		told.LongestMS = sorted[len(sorted)-1].Milliseconds()
	}
	return told
}
