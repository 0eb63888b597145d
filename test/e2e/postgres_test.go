//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"testing"

	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

const databaseService = "postgres"

// startDatabase starts a real PostgreSQL on this machine, and makes it a Service of
// the cluster: without a selector, since no pod is behind it.
func startDatabase(t *testing.T) *pgcluster.Database {
	t.Helper()
	address := hostAddress(t)
	database := pgcluster.StartFor(t, pgcluster.Durable, pgcluster.Neighbors{Address: address, Name: databaseService + "." + namespace + ".svc"}).Database(t)
	ca, err := os.ReadFile(database.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, namespace, fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec: {ports: [{port: 5432, targetPort: %[3]d}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: %[1]s
  labels: {kubernetes.io/service-name: %[1]s}
addressType: IPv4
ports: [{port: %[3]d}]
endpoints: [{addresses: ["%[2]s"]}]
---
apiVersion: v1
kind: Secret
metadata: {name: database}
data: {password: %[4]s, ca.crt: %[5]s}
`, databaseService, address, database.Port, encode([]byte(database.Password)), encode(ca)))
	return database
}

func encode(content []byte) string { return base64.StdEncoding.EncodeToString(content) }
