package controllers_test

import (
	"fmt"
	"testing"

	"github.com/fapi-operator/fapi-operator/controllers"
)

// Each namespace is one shard's, and none has nearly all of them.
func TestEachNamespaceIsOneShards(t *testing.T) {
	t.Parallel()
	const count, namespaces = 4, 1000
	held := make([]int, count)
	for i := range namespaces {
		namespace, holders := fmt.Sprintf("team-%d", i), 0
		for number := range count {
			shard, err := controllers.ParseShard(fmt.Sprintf("%d/%d", number+1, count))
			if err != nil {
				t.Fatal(err)
			}
			if shard.Holds(namespace) {
				held[number]++
				holders++
			}
		}
		if holders != 1 || !(controllers.Shard{}).Holds(namespace) {
			t.Errorf("namespace %s has %d shards", namespace, holders)
		}
	}
	for number, share := range held {
		if share < namespaces/count/2 {
			t.Errorf("shard %d has %d of %d namespaces", number+1, share, namespaces)
		}
	}
}

func TestMalformedShardsAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "1 /2", "1/2 ", "01/2", "a/b", "1/99999999999"} {
		if shard, err := controllers.ParseShard(text); err == nil {
			t.Errorf("%q is read as %+v", text, shard)
		}
	}
}
