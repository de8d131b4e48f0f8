package api

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// ChangeInput is part of the input of every route that changes something. (What
// is embedded in an input must be exported to be seen.)
type ChangeInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" doc:"A repeated request with the same key and body gets the first answer again, for 24 hours"`
	Reason         string `header:"X-Reason" maxLength:"500" doc:"Why; kept with the change. The body's why may be used instead"`
}

// reason is why a change is made: the header, or what the body says.
func (in *ChangeInput) reason(body string) string {
	if in.Reason != "" {
		return in.Reason
	}
	return body
}

// changed is the answer of a route that changes something.
type changed[T any] struct {
	Status int
	Body   T
}

// change carries out do once for each idempotency key and keeps who did it and
// why. do returns the answer and what is to be committed with it; the answer is
// remembered in the same transaction. do is not called when the request was
// answered before.
//
// raw is the request's body.
func change[T any](ctx context.Context, a *API, in *ChangeInput, raw []byte, status int, do func() (access.Update, T, error)) (*changed[T], error) {
	out := &changed[T]{Status: status}
	release, err := a.running(ctx, in)
	if err != nil {
		return nil, err
	}
	defer release()
	if found, err := a.recall(ctx, in, raw, out); err != nil || found {
		return out, err
	}
	update, body, err := do()
	if err != nil {
		return nil, err
	}
	out.Body = body
	update.Change.At, update.Change.Who = a.now(), callerOf(ctx).key.ID
	if update.Answer, err = a.remember(ctx, in, raw, out.Status, body); err != nil {
		return nil, err
	}
	if err := a.store.Apply(ctx, update); err != nil {
		return nil, err
	}
	if len(update.Keys)+len(update.Workspaces)+len(update.Revoke) > 0 {
		if err := a.keys.Reload(ctx, a.store); err != nil {
			return nil, fmt.Errorf("the change is committed; put it in force: %w", err)
		}
	}
	return out, nil
}

// running makes sure that one request at a time uses an idempotency key.
func (a *API) running(ctx context.Context, in *ChangeInput) (release func(), err error) {
	if in.IdempotencyKey == "" {
		return func() {}, nil
	}
	id := [2]string{string(callerOf(ctx).key.ID), in.IdempotencyKey}
	if _, busy := a.busy.LoadOrStore(id, true); busy {
		return nil, cx.E(cx.Conflict, "", "the first request with this Idempotency-Key is still running; repeat it in a moment")
	}
	return func() { a.busy.Delete(id) }, nil
}

// recall fills out with the answer given before, if there is one. Another
// request under the same idempotency key is a Conflict.
func (a *API) recall(ctx context.Context, in *ChangeInput, raw []byte, out any) (found bool, err error) {
	if in.IdempotencyKey == "" {
		return false, nil
	}
	who := callerOf(ctx)
	kept, err := a.store.Remembered(ctx, who.key.ID, in.IdempotencyKey, a.now())
	if err != nil || kept == nil {
		return false, err
	}
	if kept.Request != who.fingerprint(raw) {
		return false, cx.E(cx.Conflict, "", "this Idempotency-Key was used for another request; use a new one")
	}
	plain, err := who.open(kept)
	if err != nil {
		return false, err
	}
	return true, json.Unmarshal(plain, out)
}

// remember makes the record of an answer, nil when the request does not ask for
// it. The answer may hold the text of a new key, which is stored nowhere, so it
// is sealed with the caller's own key: only who can repeat the request can open
// it.
func (a *API) remember(ctx context.Context, in *ChangeInput, raw []byte, status int, body any) (*access.Answer, error) {
	if in.IdempotencyKey == "" {
		return nil, nil
	}
	plain, err := json.Marshal(changed[any]{Status: status, Body: body})
	if err != nil {
		return nil, fmt.Errorf("keep answer: %w", err)
	}
	who, now := callerOf(ctx), a.now()
	answer := &access.Answer{
		Caller: who.key.ID, Key: in.IdempotencyKey, Request: who.fingerprint(raw),
		Status: status, Expires: now + access.AnswerFor,
	}
	seal, err := who.sealer(answer)
	if err != nil {
		return nil, err
	}
	answer.Body = seal.Seal(nil, nil, plain, answer.Request[:])
	return answer, nil
}

// fingerprint tells one request from another.
func (c *caller) fingerprint(body []byte) [32]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %d\n", c.method, c.path, len(body))
	h.Write(body)
	return [32]byte(h.Sum(nil))
}

func (c *caller) open(kept *access.Answer) ([]byte, error) {
	seal, err := c.sealer(kept)
	if err != nil {
		return nil, err
	}
	plain, err := seal.Open(nil, nil, kept.Body, kept.Request[:])
	if err != nil {
		return nil, errors.New("a kept answer does not open with the key that it was sealed with")
	}
	return plain, nil
}

// sealer derives the cipher from the caller's key text, which is never stored.
func (c *caller) sealer(answer *access.Answer) (cipher.AEAD, error) {
	secret, err := hkdf.Key(sha256.New, []byte(c.text), nil, "kikubari answer to "+answer.Key, 32)
	if err != nil {
		return nil, fmt.Errorf("seal answer: %w", err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("seal answer: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
