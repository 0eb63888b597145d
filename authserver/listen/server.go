package listen

import (
	"log/slog"
	"net/http"
	"time"
)

// Bounds of one connection; our own choices.
const (
	// readHeaderTimeout also bounds the TLS handshake. A client that trickles its
	// header (slow loris) holds a connection no longer than this.
	readHeaderTimeout = 10 * time.Second
	// readTimeout bounds header and body: 256 KiB arrive in it at 70 kbit/s.
	readTimeout = 30 * time.Second
	// writeTimeout bounds handling and response. Handlers fetch key sets and wait
	// for the store; both give up earlier.
	writeTimeout = 60 * time.Second
	// idleTimeout keeps connections for the next request: half of an
	// authorization server's work can be TLS handshakes.
	idleTimeout = 2 * time.Minute
	// maxHeaderBytes leaves room for an authorization request whose state has
	// 4096 characters, beside a browser's cookies.
	maxHeaderBytes = 32 << 10
)

// HTTPServer serves handler on listeners that Open has made. What goes wrong
// with a connection, such as a refused handshake, is logged as a warning.
func HTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}
