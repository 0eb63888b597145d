// Package pkcs11 keeps the server's signing keys in a hardware security module
// with the interface of PKCS #11 (OASIS, Cryptographic Token Interface 2.40; 3.0
// for EdDSA): they are made there, sign there, and never leave it.
//
// A module is a C library, so that it takes cgo and the build tag pkcs11 to have
// it in the program. Without them Open says that it is missing.
package pkcs11

// Settings say which token keeps the keys.
type Settings struct {
	// ModuleFile is the path of the module's library.
	ModuleFile string
	// TokenLabel is the label of the token in it.
	TokenLabel string
	// PINFile holds the PIN of the token's user in its only line. It is read at each
	// connection.
	PINFile string
	// Owner names this server in the labels of its keys, where one token serves
	// several servers: without spaces, and the same at all replicas.
	Owner string
}
