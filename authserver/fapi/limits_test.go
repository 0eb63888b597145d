package fapi

import "testing"

// Our own choices stay within what the clauses fix.
func TestLifetimesKeepToTheirClauses(t *testing.T) {
	t.Parallel()
	if CodeLifetime > MaxCodeLifetime {
		t.Errorf("codes live %s, over %s (FAPI 2.0 Security Profile, 5.3.2.1-11)", CodeLifetime, MaxCodeLifetime)
	}
	if RequestURILifetime >= MaxRequestURILifetime {
		t.Errorf("request_uris live %s, not less than %s (5.3.2.2-12)", RequestURILifetime, MaxRequestURILifetime)
	}
}
