package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	randomly "math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// An operation is tried so often, with a pause that doubles: three seconds in
// all, in which a primary comes back or another one takes over. Our own choices.
const (
	maxTries   = 8
	firstPause = 25 * time.Millisecond
	// waitTime bounds the waits for a connection and the pauses of all tries together.
	waitTime = 10 * time.Second
	// tryTime is what one try has once it has its connection.
	tryTime = 10 * time.Second
)

// outcome is what is known of a try.
type outcome int

const (
	// answered: the database has said what became of it.
	answered outcome = iota
	// undone: nothing has happened, and another try may end otherwise.
	undone
	// lost: the connection ended before the answer. Perhaps nothing happened,
	// perhaps everything, and perhaps it is happening now.
	lost
)

// attempt tries an operation until it has an answer. Every operation can be tried
// again after an answer was lost, for one of these reasons:
//
//   - it only reads, or does the same again (a revocation);
//   - it marks the value that it uses with the name of its call, and a later try
//     knows the mark (newCall): a lost success stays this call's success, and a
//     value that another call used stays refused. A try that still runs holds the
//     row, so that the next one waits for its end;
//   - it is an insertion under an identifier that the caller has just drawn at
//     random, or a deletion. Then done is the refusal which a later try gets
//     because an earlier one succeeded, and means success after a lost answer.
//
// A caller that goes away ends the wait for a connection and the pauses, but no
// try: cutting a try short would cost the connection.
func (s *Store) attempt(ctx context.Context, done error, operation func(on session) error) error {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	anyLost := false
	for try := 1; ; try++ {
		result, err := s.try(ctx, operation)
		if anyLost && done != nil && errors.Is(err, done) {
			return nil
		}
		if result == answered || try == maxTries {
			return err
		}
		anyLost = anyLost || result == lost
		if interrupted := pause(ctx, try); interrupted != nil {
			return errors.Join(interrupted, err)
		}
	}
}

func (s *Store) try(ctx context.Context, operation func(on session) error) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return answered, err
	}
	connection, err := s.pool.Acquire(ctx)
	if err != nil {
		return undone, fmt.Errorf("get a connection: %w", err)
	}
	defer connection.Release()
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTime)
	defer cancel()
	err = operation(session{on: connection, ctx: running})
	return outcomeOf(connection, err), err
}

func outcomeOf(connection *pgxpool.Conn, err error) outcome {
	if err == nil {
		return answered
	}
	switch codeOf(err) {
	case serializationFailure, deadlockDetected:
		return undone
	case statementCompletionUnknown:
		return lost
	case readOnlyTransaction:
		// The primary has become a standby; the pool drops a connection that is closed.
		_ = connection.Conn().Close(context.Background()) // It is given up.
		return undone
	}
	// pgconn.SafeToRetry is not asked: it says so of a COMMIT that was sent.
	if connection.Conn().IsClosed() {
		return lost
	}
	return answered
}

// pause waits before the next try, for a random time so that callers who hindered
// one another do not meet again.
func pause(ctx context.Context, try int) error {
	longest := firstPause << (try - 1)
	timer := time.NewTimer(longest/2 + randomly.N(longest/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// inTransaction makes of several statements one operation. It locks what it must
// not miss; at a stricter level those who wait for the lock would fail in its place.
func inTransaction(on session, operation func(tx session) error) error {
	connection, ok := on.on.(*pgxpool.Conn)
	if !ok {
		return errors.New("a transaction inside a transaction")
	}
	tx, err := connection.BeginTx(on.ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return err
	}
	if err := operation(session{on: tx, ctx: on.ctx}); err != nil {
		_ = tx.Rollback(on.ctx) // Where it fails, the connection ends, and the transaction with it.
		return err
	}
	return tx.Commit(on.ctx)
}

// newCall is the name of one call, which stays the same over its tries.
func newCall() []byte {
	name := make([]byte, 16)
	_, _ = rand.Read(name) // It never fails; it ends the process instead.
	return name
}
