package main

import (
	"strings"
	"testing"
)

// What cannot work is refused before anything is installed, with what to write.
func TestRefusedValues(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"authserver: {replicas: 3}":                                       "replicas",
		"config: {isuer: https://auth.bank.example}":                      "isuer",
		"config: {issuer: http://auth.bank.example}":                      "issuer",
		"config: {listeners: {}}":                                         "listeners",
		"config: {session: {lifetime: 8}}":                                "lifetime",
		"config: {scopes: {accounts: {}}}":                                "description",
		"store: {backend: mysql}":                                         "backend",
		"store: {backend: postgres, postgres: {passwordSecret: p}}":       "hosts",
		"store: {backend: postgres, postgres: {hosts: [\"db:5432\"]}}":    "passwordSecret",
		"gateway: {enabled: true}":                                        "parentRefs",
		"certificates: {certManager: false}":                              "existingSecrets.webhook is missing",
		"certificates: {existingSecrets: {webhook: webhook}}":             "webhookCABundle is missing",
		"certificates: {issuerRef: {kind: ClusterIssuer}}":                "name",
		"image: {operator: {digest: latest}}":                             "digest",
		"operator: {namespaceSelector: {matchLabel: {fapi: \"yes\"}}}":    "matchLabel",
		"operator: {replicas: 0}":                                         "replicas",
		"authserver: {files: [{mountPath: /x, configMap: a, secret: b}]}": "files",
		"networkPolicy: {apiServer: {ports: [0]}}":                        "ports",

		"operator: {namespaces: [retail], namespaceSelector: {matchLabels: {fapi: \"yes\"}}}":      "exclude one another",
		"operator: {namespaceSelector: {matchExpressions: [{key: team, operator: In}]}}":           "values",
		"operator: {namespaceSelector: {matchExpressions: [{key: a, operator: Gt, values: [b]}]}}": "operator",

		"authserver: {mtlsProxy: {header: X-SSL-Cert, sans: [a], caSecret: b}}":                  "header",
		"authserver: {mtlsProxy: {header: Client-Cert, caSecret: b}}":                            "sans",
		"authserver: {mtlsProxy: {header: Client-Cert, sans: [a]}}":                              "mtlsProxy",
		"authserver: {mtlsProxy: {header: Client-Cert, sans: [a], caSecret: b, caConfigMap: c}}": "mtlsProxy",
		"authserver: {mtlsProxy: {sans: [a], caSecret: b}}":                                      "mtlsProxy",
	} {
		_, err := render(t.Context(), chartFolder, releaseName, namespace, parseValues(t, values))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to name %q", values, err, want)
		}
	}
}
