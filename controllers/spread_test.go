package controllers

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// Clients that were applied together are renewed one after another, each always at
// the same share of its certificate's validity.
func TestRenewalsAreSpread(t *testing.T) {
	t.Parallel()
	shares := map[int32]int{}
	for i := range 1000 {
		clientID := fmt.Sprintf("bank.app-%d", i)
		share := renewBeforePercentage(clientID, &v1alpha1.ClientCertificate{})
		shares[*share]++
		if again := renewBeforePercentage(clientID, &v1alpha1.ClientCertificate{}); *again != *share || *share < 33 || *share > 42 {
			t.Errorf("client %s is renewed with %d and %d percent left", clientID, *share, *again)
		}
	}
	if len(shares) != 10 || shares[33] > 200 {
		t.Errorf("the shares are %v", shares)
	}
	if stated := renewBeforePercentage("bank.app", &v1alpha1.ClientCertificate{RenewBefore: &metav1.Duration{Duration: time.Hour}}); stated != nil {
		t.Errorf("beside renewBefore stands %d percent", *stated)
	}
}

func TestFailuresThatComeTogetherAreTriedAgainApart(t *testing.T) {
	t.Parallel()
	limiter, waits := backOff(), map[time.Duration]bool{}
	for i := range 20 {
		request := reconcile.Request{}
		request.Name = fmt.Sprint(i)
		wait := limiter.When(request)
		if wait < shortestBackOff || wait > shortestBackOff*6/5 {
			t.Errorf("the first wait is %v", wait)
		}
		waits[wait] = true
	}
	if len(waits) < 10 {
		t.Errorf("20 failures have %d different waits", len(waits))
	}
}
