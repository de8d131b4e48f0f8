// Segment's own clients as they come from npm; only the host is ours.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Analytics } from '@segment/analytics-node'
import { launch, newVisitor } from './lib/browser.mjs'
import { settledEvents, settledIds, writeKey } from './lib/server.mjs'
import { openSite } from './lib/site.mjs'

let browser, site
before(async () => ([browser, site] = await Promise.all([launch(), openSite()])))
after(() => Promise.all([browser.close(), site.close()]))
beforeEach(() => {
  site.road.faults.length = 0
  site.road.seen.length = 0
})

/** A page with analytics.js that talks to the program across origins. */
async function load() {
  const visitor = await newVisitor(browser)
  await visitor.page.goto(`${site.origin}/segment.html`)
  await visitor.page.evaluate(
    async ([writeKey, cdnURL]) => {
      window.analytics = window.AnalyticsNext.AnalyticsBrowser.load({ writeKey, cdnURL })
      await window.analytics.ready()
    },
    [writeKey, site.road.origin],
  )
  const id = await visitor.page.evaluate(async () => (await window.analytics.user()).anonymousId())
  return { ...visitor, id }
}

const kinds = (rows) => rows.map((r) => `${r.name}`).sort()
const posted = () => site.road.posts().map((r) => r.path)

test('analytics.js: every call type lands exactly once, in batches that our settings switched on', async () => {
  const { page, id, calm } = await load()
  await page.evaluate(async () => {
    const a = window.analytics
    await a.page('Shop', { section: 'all' })
    await a.track('Product Added', { product_id: 'linen-shirt', price: 4000, quantity: 1, currency: 'JPY' })
    await a.screen('Home')
    await a.group('team-1', { size: 3 })
    await a.identify('user-11', { plan: 'gold' })
    await a.alias('user-12', 'user-11')
  })
  const rows = await settledEvents(id, 5)
  assert.equal(new Set(rows.map((r) => r.message_id)).size, rows.length)
  assert.deepEqual(sent().map((e) => e.type).sort(), ['alias', 'group', 'identify', 'page', 'screen', 'track'])
  const ids = sent().map((e) => e.messageId).sort()
  assert.deepEqual(await settledIds(ids), ids)
  assert.ok(posted().every((p) => p === '/v1/b'), posted().join())
  assert.ok(site.road.seen.some((r) => r.method === 'OPTIONS'), 'there was no preflight')
  assert.ok(site.road.seen.some((r) => r.path === `/v1/projects/${writeKey}/settings`))
  calm()
})

/** Every event that went over the road, repetitions too. */
function sent() {
  return site.road.posts().flatMap((r) => {
    const body = JSON.parse(r.body)
    return body.batch ?? [body]
  })
}

for (const fault of [{ status: 503 }, { status: 429, retryAfter: 1 }]) {
  test(`analytics.js repeats after ${fault.status}`, async () => {
    const { page, id } = await load()
    site.road.faults.push(fault)
    await page.evaluate(async () => void window.analytics.track('Test Fault'))
    const rows = await settledEvents(id, 1)
    assert.deepEqual(kinds(rows), ['Test Fault'])
    assert.equal(site.road.posts().length, 2)
    assert.equal(site.road.posts()[1].headers['x-retry-count'], '1')
  })
}

test('analytics.js sends what waits in a batch when the page ends', async () => {
  const { page, id } = await load()
  await page.evaluate(() => void window.analytics.track('Test Leaving'))
  await page.goto(`${site.origin}/second.html`)
  assert.deepEqual(kinds(await settledEvents(id, 1, (r) => r.name.startsWith('Test'))), ['Test Leaving'])
})

/** Calls every act of analytics-node and returns the message ids it sent. */
async function everyCall(analytics, anonymousId) {
  analytics.identify({ anonymousId, userId: 'user-21', traits: { plan: 'gold' } })
  analytics.track({ anonymousId, event: 'Order Completed', properties: { order_id: 'N1', subtotal: 4000, currency: 'JPY' } })
  analytics.page({ anonymousId, name: 'Shop' })
  analytics.screen({ anonymousId, name: 'Home' })
  analytics.group({ anonymousId, groupId: 'team-2' })
  analytics.alias({ userId: 'user-22', previousId: 'user-21' })
  await analytics.closeAndFlush({ timeout: 20_000 })
  return [...new Set(sent().map((e) => e.messageId))].sort()
}

test('analytics-node: every call type lands exactly once', async () => {
  const ids = await everyCall(new Analytics({ writeKey, host: site.road.origin }), crypto.randomUUID())
  assert.equal(ids.length, 6)
  assert.deepEqual(await settledIds(ids), ids)
  assert.deepEqual(new Set(posted()), new Set(['/v1/batch']))
})

for (const faults of [[{ status: 503 }, { status: 503 }], [{ status: 429, retryAfter: 1 }], ['cut'], ['deaf']]) {
  test(`analytics-node gets through ${JSON.stringify(faults)}`, async () => {
    site.road.faults.push(...faults)
    const ids = await everyCall(new Analytics({ writeKey, host: site.road.origin, flushAt: 6 }), crypto.randomUUID())
    assert.deepEqual(await settledIds(ids), ids)
    assert.equal(site.road.posts().length, faults.length + 1)
  })
}
