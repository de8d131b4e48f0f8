import assert from 'node:assert/strict'
import { test } from 'node:test'
import { campaignOf } from '../src/context.ts'
import { fateOf, Line, retryAfter } from '../src/line.ts'
import { message } from './world.ts'

const reply = (status: number, headers: Record<string, string> = {}, body = '{}') => new Response(body, { status, headers })

test('each status has its fate', async () => {
  for (const status of [408, 429, 500, 502, 503]) assert.equal((await fateOf(reply(status))).kind, 'again', `${status}`)
  for (const status of [400, 401, 403, 404, 413]) assert.deepEqual(await fateOf(reply(status)), { kind: 'refused', status })
  assert.deepEqual(await fateOf(reply(200, {}, '{"actions":[]}')), { kind: 'stored', answer: { actions: [] } })
})

test('an answer that is no JSON still means stored', async () => {
  assert.deepEqual(await fateOf(reply(200, {}, 'ok')), { kind: 'stored', answer: {} })
})

test('Retry-After is read as seconds and as a date, and bounded', () => {
  assert.equal(retryAfter('3'), 3000)
  assert.equal(retryAfter('Thu, 01 Jan 1970 00:00:09 GMT', 2000), 7000)
  assert.equal(retryAfter('86400'), 300_000)
  assert.equal(retryAfter('soon'), undefined)
  assert.equal(retryAfter(null), undefined)
})

test('a request needs no preflight: text/plain, no credentials, no header of ours', async () => {
  const seen: [string, RequestInit][] = []
  globalThis.fetch = (async (url: string, init: RequestInit) => {
    seen.push([url, init])
    return reply(200)
  }) as typeof fetch
  await new Line('https://cx.example.com', 'K').post([message('1')])
  const [url, init] = seen[0]!
  assert.equal(url, 'https://cx.example.com/v1/b?actions=1')
  assert.deepEqual(init.headers, { 'Content-Type': 'text/plain' })
  assert.equal(init.credentials, 'omit')
  assert.equal(init.keepalive, true)
  const body = JSON.parse(init.body as string)
  assert.equal(body.writeKey, 'K')
  assert.ok(Math.abs(Date.parse(body.sentAt) - Date.now()) < 5000)
  assert.deepEqual(body.batch.map((m: { messageId: string }) => m.messageId), ['1'])
})

test('a body too large to outlive its page is sent without keepalive', async () => {
  let kept: boolean | undefined
  globalThis.fetch = (async (_: string, init: RequestInit) => {
    kept = init.keepalive
    return reply(200)
  }) as typeof fetch
  const words = 'あ'.repeat(20_001) // three bytes each
  await new Line('', 'K').post([message('1', { properties: { words } })])
  assert.equal(kept, false)
})

test('a broken connection is worth repeating', async () => {
  globalThis.fetch = () => Promise.reject(new TypeError('Failed to fetch'))
  assert.deepEqual(await new Line('', 'K').post([message('1')]), { kind: 'again' })
})

test('campaign parameters lose their prefix', () => {
  const query = new URLSearchParams('utm_source=news&utm_campaign=spring&utm_term=&q=1')
  assert.deepEqual(campaignOf(query), { source: 'news', name: 'spring' })
  assert.equal(campaignOf(new URLSearchParams('q=1')), null)
})
