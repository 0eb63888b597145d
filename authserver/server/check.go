package server

import (
	"errors"
	"log/slog"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/authorizationdetails"
	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/interaction"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/listen"
)

// Check judges what the configured files hold, all of them at once, and opens
// neither the store nor a socket. It logs in to the token that keeps the signing
// keys, where there is one.
func Check(cfg config.Config, now func() time.Time, log *slog.Logger) error {
	_, public := listen.Public(cfg.Listeners.Public, now, log)
	_, mtls := listen.MTLS(cfg.Listeners.MTLS, now, log)
	_, proxy := openProxy(cfg.Listeners.MTLS, now, log)
	_, private := listen.Private(cfg.Listeners.Private, now, log)
	_, encryption := keys.ReadKeyEncryptionKeys(cfg.KeyEncryptionKeyFile)
	custodian := checkCustodian(cfg)
	_, users := interaction.LoadUsers(cfg.Users.File)
	_, bundles := trustBundles(cfg.TrustBundles)
	_, details := authorizationdetails.Load(detailsTypes(cfg.AuthorizationDetailsTypes))
	return errors.Join(public, mtls, proxy, private, encryption, custodian, users, bundles, details)
}

func checkCustodian(cfg config.Config) error {
	custodian, err := OpenCustodian(cfg)
	if err != nil || custodian == nil {
		return err
	}
	return custodian.Close()
}
