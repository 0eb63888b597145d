package keys

import "github.com/prometheus/client_golang/prometheus"

var (
	countOfKeys = prometheus.NewDesc("authserver_server_keys",
		"The server's own keys, by state: next, current or previous.", []string{"use", "algorithm", "state"}, nil)
	ageOfKey = prometheus.NewDesc("authserver_server_key_age_seconds",
		"How long ago the server's newest key of the algorithm was made; it grows beyond the rotation interval when none can be made.",
		[]string{"use", "algorithm"}, nil)
)

// Describe and Collect make the ring a prometheus.Collector. Its labels are closed sets.
func (r *Ring) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- countOfKeys
	descriptions <- ageOfKey
}

// Collect counts the keys as they are at this moment.
func (r *Ring) Collect(metrics chan<- prometheus.Metric) {
	now := r.config.Now()
	keys := *r.opened.Load()
	for _, place := range places() {
		count := map[state]int{}
		var newest openedKey
		for _, key := range keys {
			if placeOf(key.row) == place {
				count[key.state(now)]++
				newest = key
			}
		}
		for _, state := range []state{next, current, previous} {
			metrics <- prometheus.MustNewConstMetric(countOfKeys, prometheus.GaugeValue, float64(count[state]), place.use, place.algorithm, string(state))
		}
		metrics <- prometheus.MustNewConstMetric(ageOfKey, prometheus.GaugeValue, now.Sub(newest.row.CreatedAt).Seconds(), place.use, place.algorithm)
	}
}
