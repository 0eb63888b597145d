package userinfo

import (
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

// answer sends the claims in the form that the client registered: plain JSON, or
// a JWT (OpenID Connect Core, 5.3.2). With an error nothing has been sent.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, client *fapi.Client, claims map[string]any) error {
	metadata := client.Metadata()
	if metadata.UserinfoSignedResponseAlg == "" {
		h.Responder.JSON(w, http.StatusOK, claims)
		return nil
	}
	keys, err := endpoint.EncryptionKeys(r.Context(), h.Keys, client, metadata.UserinfoEncryptedResponseAlg)
	if err != nil {
		return err
	}
	minted, err := h.Minter.Userinfo(client, keys, claims)
	if err != nil {
		return err
	}
	h.Responder.JWT(w, "application/jwt", minted)
	return nil
}
