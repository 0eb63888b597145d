//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/fapi-operator/fapi-operator/controllers"
)

const twoShards = "operator: {shards: 2}\n"

const shardedApplication = `
apiVersion: fapi-operator.io/v1alpha1
kind: FAPIApplication
metadata: {name: planner}
spec:
  clientName: %s
  grantTypes: [authorization_code]
  redirectURIs: ["https://app.example.com/callback"]
  scopes: [openid]
  clientAuthentication: {method: private_key_jwt}
  keys: {source: Managed}
  accessToken: {senderConstraint: DPoP}
`

// eachShardKeepsItsOwn stops one of two shards: its applications wait for it, while
// the other reconciles its own, and answers admission for both.
func eachShardKeepsItsOwn(t *testing.T) {
	t.Helper()
	here, there := namespaceOfShard(t, "1/2"), namespaceOfShard(t, "2/2")
	for _, of := range []string{here, there} {
		kubectl(t, "create", "namespace", of)
		defer kubectl(t, "delete", "namespace", of, "--wait", waitPatience)
		apply(t, of, fmt.Sprintf(shardedApplication, "Planner"))
	}
	await(t, here, "fapiapplication/planner", "condition=Ready")
	await(t, there, "fapiapplication/planner", "condition=Ready")

	stopped := operatorDeployment + "-2"
	kubectl(t, "scale", "deployment", stopped, "--namespace", namespace, "--replicas=0")
	kubectl(t, "wait", "--for=delete", "pod", "--selector=fapi-operator.io/shard=2", "--namespace", namespace, waitPatience)
	apply(t, here, fmt.Sprintf(shardedApplication, "Planner, changed"))
	apply(t, there, fmt.Sprintf(shardedApplication, "Planner, changed"))
	await(t, here, "fapiapplication/planner", "jsonpath={.status.observedGeneration}=2")
	if seen := kubectl(t, "get", "fapiapplication", "planner", "--namespace", there, "-o", "jsonpath={.status.observedGeneration}"); seen != "1" {
		t.Errorf("generation %s of an application was looked at while its shard was away", seen)
	}
	kubectl(t, "scale", "deployment", stopped, "--namespace", namespace, "--replicas=2")
	await(t, there, "fapiapplication/planner", "jsonpath={.status.observedGeneration}=2")
	await(t, there, "fapiapplication/planner", "condition=Ready")
}

// namespaceOfShard names one that falls to the shard.
func namespaceOfShard(t *testing.T, shard string) string {
	t.Helper()
	parsed, err := controllers.ParseShard(shard)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		if name := fmt.Sprintf("team-%d", i); parsed.Holds(name) {
			return name
		}
	}
}
