// Package fapitest is a FAPI 2.0 client that does the whole dance, can be told
// to misbehave at each step of it, and checks what an honest client must check;
// and, for tests, the real authorization server in process over real TLS.
package fapitest
