package keys

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

const day = 24 * time.Hour

// made is a key that was made so long after now.
func made(id string, after time.Duration) store.ServerKey {
	parts := strings.Split(id, "/")
	return store.ServerKey{ID: id, Use: parts[0], Algorithm: parts[1], CreatedAt: now.Add(after)}
}

// planned tells a place's part of a plan: states of the keys, and what is to be done.
func planned(t *testing.T, at time.Duration, p place, rows ...store.ServerKey) string {
	t.Helper()
	plan, err := newPlan(rows, now.Add(at), thirtyDays)
	must(t, err)
	var said []string
	for _, key := range plan.keep {
		said = append(said, fmt.Sprintf("%d %s", key.generation, key.state(now.Add(at))))
	}
	for _, key := range plan.remove {
		said = append(said, fmt.Sprintf("remove %d", key.generation))
	}
	for _, successor := range plan.make {
		if successor.place == p {
			said = append(said, fmt.Sprintf("make %d", successor.generation))
		}
	}
	return strings.Join(said, ", ")
}

func TestPlan(t *testing.T) {
	t.Parallel()
	signing := place{useSignature, "ES256"}
	first, second, third := made("sig/ES256/1", 0), made("sig/ES256/2", 30*day), made("sig/ES256/3", 60*day)
	for _, test := range []struct {
		at   time.Duration
		rows []store.ServerKey
		want string
	}{
		{0, nil, "make 1"},
		{0, []store.ServerKey{first}, "1 current"},
		{30*day - 1, []store.ServerKey{first}, "1 current"},
		{30 * day, []store.ServerKey{first}, "1 current, make 2"},
		{400 * day, []store.ServerKey{first}, "1 current, make 2"},
		{30 * day, []store.ServerKey{first, second}, "1 current, 2 next"},
		{30*day + time.Hour - 1, []store.ServerKey{first, second}, "1 current, 2 next"},
		{30*day + time.Hour, []store.ServerKey{first, second}, "1 previous, 2 current"},
		{31*day + 2*time.Hour - 1, []store.ServerKey{first, second}, "1 previous, 2 current"},
		{31*day + 2*time.Hour, []store.ServerKey{first, second}, "2 current, remove 1"},
		{31*day + 2*time.Hour, []store.ServerKey{second}, "2 current"},
		{60 * day, []store.ServerKey{second}, "2 current, make 3"},
		{60 * day, []store.ServerKey{third, second}, "2 current, 3 next"},
		// The store failed for long: everything that is overdue happens at once, one new key is made.
		{200 * day, []store.ServerKey{first, second, third}, "3 current, remove 1, remove 2, make 4"},
		// Whoever made the second key has a clock that goes an hour fast, or slow.
		{29*day + 23*time.Hour, []store.ServerKey{first, made("sig/ES256/2", 30*day)}, "1 current, 2 next"},
		{30 * day, []store.ServerKey{first, made("sig/ES256/2", 29*day+23*time.Hour)}, "1 previous, 2 current"},
		// The order is that of the generations, also beyond nine and against the clocks.
		{0, []store.ServerKey{made("sig/ES256/10", 0), made("sig/ES256/9", 0)}, "9 current, 10 next"},
		{0, []store.ServerKey{made("sig/ES256/2", -40*day), made("sig/ES256/1", 0)}, "2 current, remove 1, make 3"},
	} {
		if got := planned(t, test.at, signing, test.rows...); got != test.want {
			t.Errorf("after %s with %d keys: %s; want %s", test.at, len(test.rows), got, test.want)
		}
	}
	encryption := place{useEncryption, "RSA-OAEP-256"}
	old, young := made("enc/RSA-OAEP-256/1", 0), made("enc/RSA-OAEP-256/2", 30*day)
	for at, want := range map[time.Duration]string{
		31*day + 3*time.Hour - 1: "1 previous, 2 current", 31*day + 3*time.Hour: "2 current, remove 1",
	} {
		if got := planned(t, at, encryption, old, young); got != want {
			t.Errorf("encryption after %s: %s; want %s", at, got, want)
		}
	}
}

// Whatever is dropped, the place has a key that serves at once.
func TestPlanAfterADrop(t *testing.T) {
	t.Parallel()
	first, second, third := made("sig/ES256/1", 0), made("sig/ES256/2", 30*day), made("sig/ES256/3", 60*day)
	for name, test := range map[string]struct {
		at      time.Duration
		rows    []store.ServerKey
		dropped int // generation
		// at once, and once a replacement that has to wait has taken over.
		want, later string
	}{
		"current alone":                   {day, []store.ServerKey{first}, 1, "2 current", "2 current"},
		"current, with a next":            {30 * day, []store.ServerKey{first, second}, 1, "2 current", "2 current"},
		"current, with a previous":        {31 * day, []store.ServerKey{first, second}, 2, "1 current, 3 next", "1 previous, 3 current"},
		"next":                            {30 * day, []store.ServerKey{first, second}, 2, "1 current, 3 next", "1 previous, 3 current"},
		"previous":                        {31 * day, []store.ServerKey{first, second}, 1, "2 current", "2 current"},
		"previous, with a next":           {60 * day, []store.ServerKey{second, third, made("sig/ES256/4", 60*day)}, 2, "3 current, 4 next", "3 previous, 4 current"},
		"current, between the two":        {60*day + 90*time.Minute, []store.ServerKey{second, third, made("sig/ES256/4", 60*day+time.Hour)}, 3, "2 current, 4 next", "2 previous, 4 current"},
		"overdue, nobody could be made":   {200 * day, []store.ServerKey{first}, 1, "2 current", "2 current"},
		"the only one that is left again": {31 * day, []store.ServerKey{made("sig/ES256/7", 31*day)}, 7, "8 current", "8 current"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signing := place{useSignature, "ES256"}
			keys, err := schedule(test.rows, thirtyDays)
			must(t, err)
			at := slices.IndexFunc(keys, func(key scheduled) bool { return key.generation == test.dropped })
			replacing, needed := replacement(keys[at], keys)
			left := slices.DeleteFunc(slices.Clone(test.rows), func(row store.ServerKey) bool { return row.ID == keys[at].row.ID })
			if needed {
				left = append(left, made(signing.id(replacing.generation), test.at))
			}
			if got := planned(t, test.at, signing, left...); got != test.want {
				t.Errorf("at once: %s; want %s", got, test.want)
			}
			if got := planned(t, test.at+time.Hour, signing, left...); got != test.later {
				t.Errorf("an hour later: %s; want %s", got, test.later)
			}
		})
	}
}

// Whatever a store holds: each place has one current key as soon as it has any,
// none that is needed is removed, and the order of the rows does not matter.
func TestPlanAlwaysHasOneCurrentKey(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		var rows []store.ServerKey
		for generation := range 1 + random.IntN(6) {
			rows = append(rows, made(fmt.Sprintf("sig/ES256/%d", generation+1), time.Duration(random.Int64N(int64(200*day)))))
		}
		at := now.Add(time.Duration(random.Int64N(int64(200 * day))))
		plan, err := newPlan(rows, at, thirtyDays)
		must(t, err)
		serving := 0
		for _, key := range plan.keep {
			if key.state(at) == current {
				serving++
			}
		}
		if serving != 1 || len(plan.keep)+len(plan.remove) != len(rows) {
			t.Fatalf("%d current keys at %s of %v", serving, at, rows)
		}
		random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		again, err := newPlan(rows, at, thirtyDays)
		must(t, err)
		if difference := cmp.Diff(plan, again, cmp.AllowUnexported(plan, scheduled{}, successor{}, place{})); difference != "" {
			t.Fatalf("another order of the rows, another plan\n%s", difference)
		}
	}
}

func TestAnIdentifierNamesItsPlace(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "1", "sig/ES256/", "sig/ES256/0", "sig/ES256/-1", "sig/ES256/01", "sig/ES256/+1", "sig/ES256/x", "sig/PS256/1", "enc/ES256/1", "sig/ES256/1/1"} {
		row := store.ServerKey{ID: id, Use: "sig", Algorithm: "ES256"}
		if _, err := newPlan([]store.ServerKey{row}, now, thirtyDays); !errors.Is(err, ErrMisplaced) {
			t.Errorf("%q: %v, want ErrMisplaced", id, err)
		}
	}
	ids := map[string]bool{}
	for _, place := range places() {
		ids[place.id(1)] = true
	}
	if len(ids) != len(places()) || slices.Contains(places(), place{}) {
		t.Errorf("places share identifiers: %v", ids)
	}
}
