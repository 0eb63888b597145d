package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
)

// maxGroup bounds how many changes share one commit, and so how long the first
// of them waits for the last; our own choice.
const maxGroup = 256

var errClosed = errors.New("the database is closed")

// writer makes every change in one goroutine, on one connection. Writing a
// commit to the disk takes a hundred times as long as a change; the changes that
// arrive meanwhile share the next commit. None is acknowledged before its commit
// is on the disk.
type writer struct {
	connection *sql.Conn
	tx         transaction
	queue      chan *change
	closing    chan struct{}
	done       chan struct{}
}

// change is one operation of the contract: done as a whole or not at all.
type change struct {
	apply func(tx transaction) error
	// result takes one value, so that the writer never waits for the caller.
	result chan error
}

// transaction is what a change works on. It is shared with other changes, so no
// single caller's context can end it.
type transaction struct{ statements *statements }

func (tx transaction) exec(query string, args ...any) (int64, error) {
	return tx.statements.exec(context.Background(), query, args...)
}

func (tx transaction) row(query string, columns []any, args ...any) error {
	return tx.statements.row(context.Background(), query, columns, args...)
}

// texts gives the one text column of every row.
func (tx transaction) texts(query string, args ...any) (texts []string, err error) {
	err = tx.statements.rows(context.Background(), query, func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		texts = append(texts, text)
		return err
	}, args...)
	return texts, err
}

func startWriter(connection *sql.Conn) *writer {
	w := &writer{
		connection: connection,
		tx:         transaction{newStatements(connection)},
		queue:      make(chan *change),
		closing:    make(chan struct{}),
		done:       make(chan struct{}),
	}
	go w.run()
	return w
}

// do makes one change. An error of apply undoes this change alone. Once the
// writer has the change, do waits for its end whatever the context says: a
// caller must never be left not knowing whether a code was redeemed.
func (w *writer) do(ctx context.Context, apply func(tx transaction) error) error {
	if w == nil {
		return ErrReadOnly
	}
	c := &change{apply: apply, result: make(chan error, 1)}
	select {
	case w.queue <- c:
		return <-c.result
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
}

func (w *writer) close() error {
	close(w.closing)
	<-w.done
	return errors.Join(w.tx.statements.close(), w.connection.Close())
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case first := <-w.queue:
			w.commit(w.gather(first))
		case <-w.closing:
			return
		}
	}
}

// gather takes the changes that are waiting now.
func (w *writer) gather(first *change) []*change {
	group := []*change{first}
	for len(group) < maxGroup {
		select {
		case next := <-w.queue:
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

func (w *writer) commit(group []*change) {
	refusals, broken := w.transact(group)
	for i, c := range group {
		c.result <- cmp.Or(broken, refusals[i])
	}
}

// transact gives each change's own refusal. When the transaction itself breaks
// (a full disk, say), nothing of the group has happened and all get that error.
func (w *writer) transact(group []*change) (refusals []error, broken error) {
	refusals = make([]error, len(group))
	if _, err := w.tx.exec("BEGIN IMMEDIATE"); err != nil {
		return refusals, err
	}
	for i, c := range group {
		if refusals[i], broken = w.apply(c); broken != nil {
			return refusals, w.rollback(broken)
		}
	}
	if _, err := w.tx.exec("COMMIT"); err != nil {
		return refusals, w.rollback(err)
	}
	return refusals, nil
}

// apply makes one change inside a savepoint, so that its refusal undoes what it
// did and nothing else.
func (w *writer) apply(c *change) (refusal, broken error) {
	if _, err := w.tx.exec("SAVEPOINT change"); err != nil {
		return nil, err
	}
	if refusal = c.apply(w.tx); refusal != nil {
		if _, err := w.tx.exec("ROLLBACK TO change"); err != nil {
			return nil, errors.Join(refusal, err)
		}
	}
	_, broken = w.tx.exec("RELEASE change")
	return refusal, broken
}

// rollback ends a broken transaction. SQLite may have ended it already
// (https://www.sqlite.org/lang_transaction.html, 3), so a failure to do so is
// no second failure; an open one would make the next BEGIN fail.
func (w *writer) rollback(broken error) error {
	_, _ = w.tx.exec("ROLLBACK")
	return broken
}
