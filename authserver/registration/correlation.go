package registration

import "context"

// CorrelationHeader carries, with a write to the registration API, the identifier
// under which the caller's own logs have the change: the server's audit log repeats it.
const CorrelationHeader = "Correlation-Id"

// MaxCorrelationBytes is how much of it is kept; our own choice.
const MaxCorrelationBytes = 128

type correlationKey struct{}

// WithCorrelation has the calls of the context carry the identifier.
func WithCorrelation(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationKey{}, id)
}

// Correlation is the context's identifier; empty where it has none.
func Correlation(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}
