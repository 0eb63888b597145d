package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint/admin"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// keyOf is the only key of the use and algorithm in the list.
func (a api) keyOf(use, algorithm string) admin.Key {
	a.t.Helper()
	var found []admin.Key
	response := a.send(http.MethodGet, serverKeys)
	for _, key := range decoded[admin.Keys](a.t, response).Keys {
		if key.Use == use && key.Algorithm == algorithm {
			found = append(found, key)
		}
	}
	if response.Code != http.StatusOK || len(found) != 1 {
		a.t.Fatalf("status %d: %v", response.Code, found)
	}
	return found[0]
}

func TestAKeyIsListedAndDroppedOnce(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	ring := api.withKeys()
	before := api.keyOf("sig", "ES256")
	if want := (admin.Key{ID: "sig/ES256/1", KeyID: ring.Signer(jose.ES256).KeyID(), Use: "sig", Algorithm: "ES256", State: "current", CreatedAt: now, SuccessorAt: now.Add(30 * 24 * time.Hour)}); before != want {
		t.Errorf("listed is %v, want %v", before, want)
	}
	encryption := api.keyOf("enc", "ECDH-ES+A256KW")
	for _, want := range []int{1, 0} {
		response := api.send(http.MethodDelete, serverKeys+"/"+before.KeyID)
		if dropped := decoded[admin.Dropped](t, response); response.Code != http.StatusOK || dropped.Keys != want {
			t.Errorf("status %d: %d keys were dropped, want %d", response.Code, dropped.Keys, want)
		}
	}
	after := api.keyOf("sig", "ES256")
	if after.ID != "sig/ES256/2" || after.State != "current" || after.KeyID == before.KeyID || after.KeyID != ring.Signer(jose.ES256).KeyID() {
		t.Errorf("in its place is %v", after)
	}
	if api.keyOf("enc", "ECDH-ES+A256KW") != encryption {
		t.Error("another key has gone")
	}
	api.must(api.store.Close())
	if response := api.send(http.MethodDelete, serverKeys+"/"+after.KeyID); response.Code != http.StatusInternalServerError {
		t.Errorf("without a store: status %d", response.Code)
	}

	records := strings.Split(strings.TrimSpace(api.log.String()), "\n")
	wanted := map[int][]string{
		0: {"operation=listKeys", "outcome=done", "keys_listed="},
		2: {"operation=dropKey", "method=DELETE", "kid=" + before.KeyID, "outcome=done", "keys_dropped=1"},
		3: {"operation=dropKey", "kid=" + before.KeyID, "outcome=done", "keys_dropped=0"},
		6: {"level=ERROR", "operation=dropKey", "kid=" + after.KeyID, "outcome=failed", "cause="},
	}
	for i, passages := range wanted {
		for _, passage := range append(passages, administrator) {
			if len(records) != 7 || !strings.Contains(records[i], passage) {
				t.Fatalf("%s is not in record %d:\n%s", passage, i, api.log)
			}
		}
	}
}
