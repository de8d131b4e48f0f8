import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import { backoff } from '../src/outbox.ts'
import { message, Scripted, stored, turn } from './world.ts'

const hour = 3600_000

beforeEach(() => {
  mock.timers.reset()
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000_000_000 })
})

test('a hurried event leaves at once and its answer is heard', async () => {
  const w = new Scripted([stored({ withdraw: ['d_1/x'] })])
  w.outbox.add(message('1'), true)
  await turn()
  assert.deepEqual(w.requests, [['1']])
  assert.deepEqual(w.answers, [{ withdraw: ['d_1/x'] }])
  assert.deepEqual(w.kept, [])
})

test('an unhurried event waits two seconds for company', async () => {
  const w = new Scripted()
  w.outbox.add(message('1'), false)
  mock.timers.tick(1000)
  w.outbox.add(message('2'), false)
  mock.timers.tick(999)
  assert.deepEqual(w.requests, [])
  mock.timers.tick(1)
  assert.deepEqual(w.requests, [['1', '2']])
})

test('ten unhurried events are company enough', () => {
  const w = new Scripted()
  for (let i = 0; i < 10; i++) w.outbox.add(message(`${i}`), false)
  assert.equal(w.requests[0]?.length, 10)
})

test('a hurried event takes the waiting ones along, in order', () => {
  const w = new Scripted()
  w.outbox.add(message('1'), false)
  w.outbox.add(message('2'), true)
  assert.deepEqual(w.requests, [['1', '2']])
})

test('one request at a time: what comes meanwhile goes together in the next', async () => {
  const w = new Scripted([], true)
  for (const id of ['1', '2', '3']) w.outbox.add(message(id), true)
  assert.deepEqual(w.requests, [['1']])
  w.release()
  await turn()
  assert.deepEqual(w.requests, [['1'], ['2', '3']])
})

test('a failed request is repeated with growing waits, same ids, nothing lost or doubled', async () => {
  const w = new Scripted([{ kind: 'again' }, { kind: 'again' }])
  w.outbox.add(message('1'), true)
  await turn()
  assert.deepEqual(w.kept, ['1'])
  w.outbox.add(message('2'), true)
  mock.timers.tick(499)
  await turn()
  assert.equal(w.requests.length, 1)
  mock.timers.tick(1)
  await turn()
  assert.deepEqual(w.requests.at(-1), ['1', '2'])
  mock.timers.tick(999)
  await turn()
  assert.equal(w.requests.length, 2)
  mock.timers.tick(1)
  await turn()
  assert.deepEqual(w.requests, [['1'], ['1', '2'], ['1', '2']])
  assert.deepEqual(w.kept, [])
})

test('Retry-After is honoured, also by later events', async () => {
  const w = new Scripted([{ kind: 'again', after: 7000 }])
  w.outbox.add(message('1'), true)
  await turn()
  mock.timers.tick(6000)
  w.outbox.add(message('2'), true)
  mock.timers.tick(999)
  await turn()
  assert.equal(w.requests.length, 1)
  mock.timers.tick(1)
  await turn()
  assert.deepEqual(w.requests[1], ['1', '2'])
})

test('a refused batch is repeated one by one, so that one bad event loses only itself', async () => {
  const refused = { kind: 'refused', status: 400 } as const
  const w = new Scripted([refused, stored(), refused, stored()])
  w.outbox.add(message('1'), false)
  w.outbox.add(message('bad', { event: 'Broken' }), false)
  w.outbox.add(message('3'), true)
  for (let i = 0; i < 5; i++) await turn()
  assert.deepEqual(w.requests, [['1', 'bad', '3'], ['1'], ['bad'], ['3']])
  assert.match(w.warnings[0]!, /"Broken" was refused \(400\)/)
})

test('offline nothing is tried; back online everything leaves', async () => {
  const w = new Scripted()
  w.connected = false
  w.outbox.add(message('1'), true)
  await turn()
  assert.deepEqual(w.requests, [])
  assert.deepEqual(w.kept, ['1'])
  w.connected = true
  w.outbox.retry()
  await turn()
  assert.deepEqual(w.requests, [['1']])
})

test('at page end what waits is handed to the browser, and all of it is kept', () => {
  const w = new Scripted([], true)
  w.outbox.add(message('flying'), true)
  w.outbox.add(message('waiting'), true)
  w.outbox.leave(true)
  assert.deepEqual(w.beacons, [['waiting']])
  assert.deepEqual(w.kept, ['flying', 'waiting'])
  assert.equal(w.gone, true)
})

test('a page that has ended stays ended, though it is hidden afterwards and hears an answer', async () => {
  const w = new Scripted([{ kind: 'again' }], true)
  w.outbox.add(message('1'), true)
  w.outbox.leave(true)
  w.outbox.leave(false)
  assert.equal(w.gone, true)
  w.release()
  await turn()
  assert.equal(w.gone, true)
  assert.deepEqual(w.kept, ['1'])
  w.outbox.comeBack()
  assert.deepEqual(w.requests, [['1'], ['1']])
})

test('what an earlier page left behind goes first', async () => {
  const w = new Scripted()
  w.left = [{ m: message('old'), at: Date.now() - 1000 }]
  await w.outbox.resume()
  await turn()
  assert.deepEqual(w.requests, [['old']])
})

test('an event that may have been stored is not repeated after the server has forgotten its id', async () => {
  const w = new Scripted()
  w.left = [
    { m: message('tried'), at: Date.now() - 23 * hour, tried: Date.now() - 23 * hour },
    { m: message('never tried'), at: Date.now() - 6 * 24 * hour },
    { m: message('too old'), at: Date.now() - 7 * 24 * hour },
  ]
  await w.outbox.resume()
  await turn()
  assert.deepEqual(w.requests, [['never tried']])
})

test('what another page has taken over is not sent again', async () => {
  const w = new Scripted()
  w.connected = false
  w.outbox.add(message('1'), true)
  w.takenOver = true
  w.connected = true
  w.outbox.retry()
  await turn()
  assert.deepEqual(w.requests, [])
})

test('an event over 32 KB is dropped with a warning', () => {
  const w = new Scripted()
  w.outbox.add(message('1', { properties: { text: 'あ'.repeat(11_000) } }), true)
  assert.deepEqual(w.requests, [])
  assert.match(w.warnings[0]!, /32 KB/)
})

test('a request stays small enough to outlive its page', async () => {
  const w = new Scripted()
  w.connected = false
  for (let i = 0; i < 12; i++) w.outbox.add(message(`${i}`, { properties: { text: 'x'.repeat(9_000) } }), true)
  w.connected = true
  w.outbox.retry()
  for (let i = 0; i < 5; i++) await turn()
  assert.deepEqual(w.requests.map((r) => r.length), [6, 6])
})

test('backoff doubles to a minute and is shortened by at most a half', () => {
  assert.deepEqual([0, 1, 2, 7, 50].map((n) => backoff(n, 0)), [500, 1000, 2000, 60_000, 60_000])
  assert.equal(backoff(3, 1), 2000)
})
