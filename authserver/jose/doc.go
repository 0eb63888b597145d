// Package jose is the server's only door to JWS, JWE and JWK: closed sets of algorithms, strict parsing, and types that
// tell a token that was read from a token that was verified. It decides how a signature is checked and by which key;
// what a token must say (audience, lifetime, type) is decided by its callers.
package jose
