package protocol

import (
	"errors"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/registrar"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// Two operators share a server without trusting one another: neither can read, take
// over, change or delete what the other has registered, whatever it says that it is.
func TestOperatorsOfOneServerKeepToTheirInstallations(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	east, west := server.RegistrarOf(t, fapitest.EastSAN), server.RegistrarOf(t, fapitest.WestSAN)
	owner := func(installation string) registration.Owner {
		return registration.Owner{Installation: installation, Namespace: "bank", Name: "shop"}
	}
	metadata := server.Register(t, "bank.pattern", keyAndDPoP).Metadata
	put := func(as *registrar.Registrar, owner registration.Owner, previous *registration.Owner, generation int64) error {
		metadata.ClientID = "bank.shop"
		_, err := as.Register(t.Context(), metadata.ClientID, registration.NoRevision, registration.Request{Owner: owner, PreviousOwner: previous, Generation: generation, Metadata: metadata})
		return err
	}
	if err := put(east, owner("east"), nil, 1); err != nil {
		t.Fatal(err)
	}
	easts := owner("east")
	_, read := west.Client(t.Context(), "bank.shop")
	for attempt, test := range map[string]struct{ got, want error }{
		"read":                 {read, registration.ErrOwnedByOtherInstallation},
		"claim":                {put(west, owner("west"), nil, 2), registration.ErrOwnedByOtherInstallation},
		"change as the other":  {put(west, owner("east"), nil, 2), registration.ErrInstallationNotAllowed},
		"take over":            {put(west, owner("west"), &easts, 2), registration.ErrInstallationNotAllowed},
		"delete":               {west.Delete(t.Context(), "bank.shop", owner("west")), registration.ErrOwnedByOtherInstallation},
		"delete as the other":  {west.Delete(t.Context(), "bank.shop", owner("east")), registration.ErrInstallationNotAllowed},
		"register for a third": {put(west, owner("north"), nil, 1), registration.ErrInstallationNotAllowed},
	} {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%s: %v, want %v", attempt, test.got, test.want)
		}
	}
	if refused := strings.Count(server.Log(), `msg="caller refused" caller=[`+fapitest.WestSAN+`]`); refused < 7 {
		t.Errorf("the audit log has %d refusals of the caller", refused)
	}
	kept, err := east.Client(t.Context(), "bank.shop")
	if err != nil || kept.Generation != 1 || kept.Owner != owner("east") {
		t.Errorf("the client is %+v, %v", kept.Summary, err)
	}
	for name, who := range map[string]struct {
		registrar *registrar.Registrar
		listed    int
	}{"east": {east, 1}, "west": {west, 0}, "not bound": {server.Registrar, 2}} {
		if page, err := who.registrar.List(t.Context(), "", 10); err != nil || len(page.Clients) != who.listed {
			t.Errorf("%s lists %+v, %v", name, page.Clients, err)
		}
		if told, err := who.registrar.Server(t.Context()); err != nil || told.Issuer != server.Issuer {
			t.Errorf("%s is told of the server: %+v, %v", name, told, err)
		}
	}
	// Who is not bound may move the client, and then it is the other's.
	if err := put(server.Registrar, owner("west"), &easts, 3); err != nil {
		t.Error(err)
	}
	if err := east.Delete(t.Context(), "bank.shop", easts); !errors.Is(err, registration.ErrOwnedByOtherInstallation) {
		t.Errorf("the one who had it deletes it: %v", err)
	}
	if err := west.Delete(t.Context(), "bank.shop", owner("west")); err != nil {
		t.Error(err)
	}
}
