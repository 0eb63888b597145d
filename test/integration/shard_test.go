package integration

import (
	"testing"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/controllers"
)

// Of two operators that share the applications, one reconciles a namespace, and the
// other leaves it alone.
func TestAShardReconcilesItsNamespacesAlone(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", dpopSpec)
	reconciled := 0
	for _, text := range []string{"1/2", "2/2"} {
		shard, err := controllers.ParseShard(text)
		if err != nil {
			t.Fatal(err)
		}
		before := w.get(t, "planner").ResourceVersion
		w.reconciler.Shard = shard
		w.walk(t, "planner")
		touched := w.get(t, "planner").ResourceVersion != before
		if touched != shard.Holds(w.namespace) {
			t.Errorf("shard %s touched the application: %v", text, touched)
		}
		if touched {
			reconciled++
			requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionReady, "True", v1alpha1.ReasonReady)
		}
	}
	if reconciled != 1 {
		t.Errorf("%d shards reconciled the application", reconciled)
	}
}
