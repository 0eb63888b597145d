package controllers

import (
	"errors"
	"net"
	"net/url"
)

// lasting is what an error says, without what differs each time that it
// happens, such as a local port: a status that repeats it stays the same.
func lasting(err error) string {
	var connection *net.OpError
	if errors.As(err, &connection) {
		return connection.Op + " " + connection.Net + ": " + connection.Err.Error() + "."
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err.Error() + "."
	}
	return err.Error() + "."
}
