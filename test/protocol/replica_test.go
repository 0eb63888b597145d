package protocol

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// A replica tells the operator, and no administrator, what it is and what it serves.
func TestAReplicaTellsWhatItServes(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	before := ask(t, server)
	if before.Issuer != server.Issuer || before.MTLSBaseURL != server.MTLSBaseURL || before.Store.Backend != "sqlite" || before.Host == "" {
		t.Errorf("told is %+v", before)
	}
	server.Register(t, "bank.shop", keyAndMTLS)
	if after := ask(t, server); after.ClientRevision != before.ClientRevision+1 {
		t.Errorf("a registration took the revision from %d to %d", before.ClientRevision, after.ClientRevision)
	}
	status, _, err := server.Private(t, server.PrivateCaller(t, fapitest.AdministratorSAN), http.MethodGet, "/server")
	if err != nil || status != http.StatusForbidden {
		t.Errorf("an administrator got status %d, %v", status, err)
	}
}

// A replica tells the operator of the same endpoints as the published metadata
// tells everybody, and where that is.
func TestAReplicaTellsTheEndpointsThatArePublished(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	told := ask(t, server)
	response, body := get(t, server.Register(t, "bank.shop", keyAndMTLS).Client, told.MetadataURL)
	var published struct {
		Issuer string `json:"issuer"`
		registration.Endpoints
	}
	if err := json.Unmarshal(body, &published); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", told.MetadataURL, response.StatusCode, err)
	}
	if published.Issuer != told.Issuer || published.Endpoints != told.Endpoints || !told.Endpoints.IsComplete() {
		t.Errorf("told is %+v, and published %+v", told, published)
	}
}

// What was registered at one replica, the other serves at once.
func TestReplicasTellOfTheSameRevisionAndKeys(t *testing.T) {
	t.Parallel()
	here := fapitest.StartServerOn(t, pgcluster.New(t))
	there := here.StartReplica(t)
	here.Register(t, "bank.shop", keyAndMTLS)
	first, second := ask(t, here), ask(t, there)
	if first.ClientRevision != second.ClientRevision || first.Store != second.Store || first.Store.Backend != "postgres" || first.Store.SchemaVersion < 1 {
		t.Errorf("one tells %+v, the other %+v", first, second)
	}
	if len(first.Keys) == 0 || len(first.Keys) != len(second.Keys) || first.Keys[0] != second.Keys[0] {
		t.Errorf("one has the keys %v, the other %v", first.Keys, second.Keys)
	}
}

func ask(t *testing.T, server *fapitest.Server) registration.Replica {
	t.Helper()
	told, err := server.Registrar.Server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return told
}
