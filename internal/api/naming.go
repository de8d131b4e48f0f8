package api

import (
	"reflect"
	"strings"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// splitPattern cuts "GET /customers/{id}" in two.
func splitPattern(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, path
}

// operationID names a route for generated clients: get-customers-id.
func operationID(method, path string) string {
	return strings.ToLower(method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(path)
}

// describe says it to a person.
func (n need) describe() string {
	switch n {
	case toSend:
		return "a server or an admin key"
	case toRead:
		return "a read or an admin key"
	case toInstall:
		return "the installation's own admin key"
	case toChange:
		return "an admin key"
	}
	return "a key"
}
