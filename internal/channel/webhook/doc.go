// Package webhook sends deliveries to a company's own systems by HTTP POST, signed
// as Standard Webhooks (standardwebhooks.com) says. Addresses inside a network are
// refused when the connection is made, redirects are not followed, and answers are
// read up to a small limit. docs/sends.md tells what a receiver has to do.
package webhook
