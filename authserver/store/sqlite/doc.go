// Package sqlite keeps the store in one SQLite file, for one server process.
//
// Durability: a call that has returned is on the disk. The file is in WAL mode
// with synchronous=FULL. SQLite keeps what it committed over the death of the
// process whatever the setting; NORMAL "might roll back following a power loss
// or system crash" (https://www.sqlite.org/pragma.html#pragma_synchronous), and a
// code that was redeemed must not come back with the power. Changes that wait
// for the disk at the same time share one commit.
//
// Times are kept as integers: microseconds since 1970 UTC.
package sqlite
