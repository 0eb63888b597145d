// Package keys holds the server's own private keys: those it signs with, and
// those that clients encrypt request objects to. They change by themselves: a new
// key is known to all before it takes over, and the one before it stays for what
// it has signed, or what was encrypted to it. They are kept in the store,
// sealed under a key encryption key that comes from a mounted file and is never
// in the store. A Custodian, such as a hardware security module, can keep the
// signing keys instead: the store then holds a sealed reference to each.
package keys
