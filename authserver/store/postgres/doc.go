// Package postgres keeps the store in a PostgreSQL database, for any number of
// server processes.
//
// The SQL is plain, so that it may also serve on databases that speak the same
// protocol (CockroachDB, YugabyteDB); it is tested on PostgreSQL alone. Nothing
// depends on LISTEN/NOTIFY, on advisory locks or on the isolation level: what must
// exclude something else meets it at one row, and what the database refuses as a
// deadlock or for serialization (40P01, 40001) is done again.
//
// Every operation is one statement where that can be, else one transaction, and
// may be tried again whatever became of the try before: see attempt.go. So the
// fail-over of a primary costs a request time, and never gives a wrong answer.
//
// Durability: a call that has returned is as durable as the database makes a
// commit. Open refuses synchronous_commit=off, and local where there are synchronous
// standbys: a code that was redeemed could come back. The same happens when a standby
// that lags behind is promoted: let at least one standby be synchronous (docs/store.md).
//
// Statements are prepared once for each connection. PgBouncer serves in session
// mode; its transaction mode needs max_prepared_statements > 0 (1.21 and later),
// and drops the time-outs that a connection states at its start: set
// ignore_startup_parameters there and the time-outs at the role.
//
// Times are kept as integers: microseconds since 1970 UTC.
package postgres
