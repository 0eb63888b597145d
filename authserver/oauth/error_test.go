package oauth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestStatusOfErrorCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[ErrorCode]int{
		InvalidRequest: http.StatusBadRequest, InvalidGrant: http.StatusBadRequest, InvalidDPoPProof: http.StatusBadRequest,
		InvalidClient: http.StatusUnauthorized, InvalidToken: http.StatusUnauthorized,
		InsufficientScope: http.StatusForbidden, ServerError: http.StatusInternalServerError,
	} {
		if got := code.Status(); got != want {
			t.Errorf("%s is answered with %d, want %d", code, got, want)
		}
	}
}

// Whatever nobody foresaw tells a stranger nothing, and the log everything.
func TestUnforeseenErrorsSayNothing(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full at /var/lib")
	refusal := AsError(fmt.Errorf("keep the code: %w", cause))
	if refusal.Code != ServerError || refusal.Description != "" {
		t.Errorf("got %q %q", refusal.Code, refusal.Description)
	}
	if !errors.Is(refusal, cause) {
		t.Error("the cause is lost for the log")
	}
}

func TestForeseenErrorsStayThemselves(t *testing.T) {
	t.Parallel()
	refusal := Refuse(InvalidGrant, "RFC6749-4.1.3", "the code is another client's")
	if got := AsError(fmt.Errorf("redeem: %w", refusal)); got != refusal {
		t.Errorf("got %v", got)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	secret := NewSecret()
	var line strings.Builder
	slog.New(slog.NewJSONHandler(&line, nil)).Info("issued", "code", secret)
	printed := fmt.Sprintf("%v %+v %#v %s %q", secret, secret, secret, secret, secret) + line.String()
	if strings.Contains(printed, secret.Reveal()) {
		t.Errorf("the secret is in %s", printed)
	}
}

func TestSecretsAreLongAndCompareByDigest(t *testing.T) {
	t.Parallel()
	secret := NewSecret()
	if len(secret.Reveal()) != 43 { // 256 bits in base64url
		t.Errorf("a secret has %d characters", len(secret.Reveal()))
	}
	if !secret.Digest().Equal(SecretFrom(secret.Reveal()).Digest()) || secret.Digest().Equal(NewSecret().Digest()) {
		t.Error("digests are equal just where secrets are")
	}
}

func TestTokenTypeFollowsTheConfirmation(t *testing.T) {
	t.Parallel()
	if got := (Confirmation{JKT: "x"}).TokenType(); got != TokenTypeDPoP {
		t.Errorf("a DPoP key gives %s", got)
	}
	if got := (Confirmation{X5TS256: "x"}).TokenType(); got != TokenTypeBearer {
		t.Errorf("a certificate gives %s", got)
	}
	if !(Confirmation{}).IsZero() {
		t.Error("nothing confirmed is zero")
	}
}
