package interaction

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

// handleParam carries the handle in a page's address.
const handleParam = "interaction"

// A handle is the second in which the interaction began, eight hexadecimal
// digits, and 64 random bits, sixteen more: handles sort by age, and one is
// enough to tell a request that took too long from one that was answered.
type handle string

const (
	handleTimeDigits   = 8
	handleRandomDigits = 16
)

func newHandle(now time.Time) handle {
	var random [handleRandomDigits / 2]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never fails; it ends the process instead.
	return handle(fmt.Sprintf("%0*x%x", handleTimeDigits, uint32(now.Unix()), random))
}

// parseHandle is strict, because the handle becomes part of a cookie's name.
func parseHandle(text string) (handle, bool) {
	if len(text) != handleTimeDigits+handleRandomDigits {
		return "", false
	}
	_, err := hex.DecodeString(text)
	return handle(text), err == nil
}

// expired tells whether the interaction's time is up.
func (h handle) expired(now time.Time) bool {
	seconds, err := strconv.ParseUint(string(h[:handleTimeDigits]), 16, 32)
	if err != nil {
		return true
	}
	begun := time.Unix(int64(seconds), 0)
	return !now.Before(begun.Add(fapi.InteractionLifetime))
}
