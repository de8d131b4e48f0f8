import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import { Shelf } from '../src/shelf.ts'
import { message } from './world.ts'

class Storage {
  getItem(name: string): string | null {
    return (this as Record<string, unknown>)[name] as string | undefined ?? null
  }
  setItem(name: string, text: string): void {
    Object.assign(this, { [name]: text })
  }
  removeItem(name: string): void {
    delete (this as Record<string, unknown>)[name]
  }
}

beforeEach(() => {
  mock.timers.reset()
  mock.timers.enable({ apis: ['Date'], now: 1_000_000_000_000 })
  Object.assign(globalThis, { localStorage: new Storage() })
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true })
})

const parcel = (id: string) => ({ m: message(id), at: Date.now() })
const ids = (parcels: { m: { messageId: string } }[]) => parcels.map((p) => p.m.messageId)

test('the next page takes over what a page that is gone had kept, once', async () => {
  new Shelf('k', 'first').keep([parcel('1'), parcel('2')], true)
  assert.deepEqual(ids(await new Shelf('k', 'second').adopt()), ['1', '2'])
  assert.deepEqual(await new Shelf('k', 'third').adopt(), [])
})

test('a living page keeps its events for itself until it has been silent for 30 seconds', async () => {
  const first = new Shelf('k', 'first')
  first.keep([parcel('1')])
  mock.timers.tick(29_999)
  assert.deepEqual(await new Shelf('k', 'second').adopt(), [])
  assert.equal(first.intact(), true)
  mock.timers.tick(1)
  assert.deepEqual(ids(await new Shelf('k', 'second').adopt()), ['1'])
  assert.equal(first.intact(), false)
})

test('another key is another site', async () => {
  new Shelf('k', 'first').keep([parcel('1')], true)
  assert.deepEqual(await new Shelf('other', 'second').adopt(), [])
})

test('at most 200 KB are kept; the oldest go first', async () => {
  const big = Array.from({ length: 30 }, (_, i) => ({ m: message(`${i}`, { properties: { text: 'x'.repeat(10_000) } }), at: Date.now() }))
  new Shelf('k', 'first').keep(big, true)
  const left = ids(await new Shelf('k', 'second').adopt())
  assert.equal(left.length, 19)
  assert.deepEqual(left.at(0), '11')
  assert.deepEqual(left.at(-1), '29')
})

test('what is not JSON is thrown away', async () => {
  localStorage.setItem('cx_q:k:first', '{broken')
  assert.deepEqual(await new Shelf('k', 'second').adopt(), [])
  assert.equal(localStorage.getItem('cx_q:k:first'), null)
})

test('a browser that stores nothing loses nothing but memory', async () => {
  localStorage.setItem = () => {
    throw new Error('QuotaExceededError')
  }
  const shelf = new Shelf('k', 'first')
  const p = parcel('1')
  shelf.keep([p])
  assert.equal(shelf.intact(), true)
  assert.equal('kept' in p, false)
})
