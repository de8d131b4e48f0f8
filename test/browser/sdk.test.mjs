// The SDK on a page: nothing is lost, nothing is counted twice.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { anonymousId, answerTo, launch, newVisitor } from './lib/browser.mjs'
import { eventually, settledEvents } from './lib/server.mjs'
import { openSite } from './lib/site.mjs'

let browser, site
before(async () => ([browser, site] = await Promise.all([launch(), openSite()])))
after(() => Promise.all([browser.close(), site.close()]))
beforeEach(() => {
  site.road.down = false
  site.road.faults.length = 0
  site.road.seen.length = 0
})

const track = (page, name, properties) => page.evaluate(([n, p]) => window.cx('track', n, p), [name, properties])
const names = (rows) => rows.map((r) => r.name)
const tracks = (r) => /^Test /.test(r.name)

async function visit(path = '/') {
  const visitor = await newVisitor(browser)
  await Promise.all([answerTo(visitor.page, 'page'), visitor.page.goto(site.origin + path)])
  return { ...visitor, id: await anonymousId(visitor.page) }
}

test('every call lands once, in order, with what the page knows', async () => {
  const { page, id, calm } = await visit('/?utm_source=news&utm_campaign=spring')
  await page.evaluate(() => {
    cx('track', 'Test One', { price: 4000 })
    cx('identify', 'user-7', { plan: 'gold' })
    cx('group', 'team-1', { size: 3 })
    cx('track', 'Test Two')
    cx('consent', { analytics: true, advertising: false })
  })
  const rows = await settledEvents(id, 6)
  assert.equal(rows.length, 6)
  assert.deepEqual(rows.filter(tracks).map((r) => [r.name, JSON.parse(text(r.properties)).price]), [['Test One', 4000], ['Test Two', undefined]])
  const context = JSON.parse(text(rows[0].context))
  assert.equal(context.page.title, 'First')
  assert.equal(context.locale, 'en')
  assert.deepEqual(context.campaign, { source: 'news', name: 'spring' })
  assert.equal(rows.at(-1).name, 'Segment Consent Preference Updated')
  assert.deepEqual(JSON.parse(text(rows.at(-1).consent)), { analytics: true, advertising: false })
  calm()
})

const text = (json) => (typeof json === 'string' ? json : JSON.stringify(json))

test('a page of another origin needs no preflight', async () => {
  const { page, calm } = await newVisitor(browser)
  await page.goto(`${site.origin}/segment.html`)
  await page.evaluate((host) => {
    const script = document.createElement('script')
    script.src = `${host}/sdk/cx.js`
    script.dataset.key = 'demo'
    document.head.append(script)
  }, site.road.origin)
  const across = (r) => r.headers.origin === site.origin && `http://${r.headers.host}` === site.road.origin
  await eventually(() => site.road.posts().filter(across), (posts) => posts.length > 0, 'a request across origins')
  await settledEvents(await anonymousId(page), 1)
  assert.deepEqual(site.road.seen.filter((r) => r.method === 'OPTIONS'), [])
  calm()
})

for (const fault of [{ status: 503 }, { status: 503, retryAfter: 1 }, { status: 429, retryAfter: 1 }, { status: 500 }]) {
  test(`${JSON.stringify(fault)} is repeated until it is stored, once`, async () => {
    const { page, id, calm } = await visit()
    site.road.seen.length = 0
    site.road.faults.push(fault, fault)
    const start = Date.now()
    await track(page, 'Test Fault')
    const rows = await settledEvents(id, 1, tracks)
    assert.deepEqual(names(rows), ['Test Fault'])
    assert.equal(site.road.posts().length, 3)
    assert.ok(Date.now() - start >= (fault.retryAfter ? 2000 : 700), 'it did not wait')
    calm()
  })
}

test('a request whose answer was lost is repeated and counted once', async () => {
  const { page, id } = await visit()
  site.road.faults.push('deaf', 'cut')
  await track(page, 'Test Deaf')
  assert.deepEqual(names(await settledEvents(id, 1, tracks)), ['Test Deaf'])
  await eventually(() => site.road.posts().length, (n) => n >= 4, 'the repetitions')
})

test('offline calls wait and leave once, in order, when the connection is back', async () => {
  const { page, context, id } = await visit()
  await context.setOffline(true)
  for (const n of ['Test A', 'Test B', 'Test C']) await track(page, n)
  assert.equal(await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('cx_q:')).length), 1)
  await context.setOffline(false)
  assert.deepEqual(names(await settledEvents(id, 3, tracks)), ['Test A', 'Test B', 'Test C'])
  assert.equal(await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('cx_q:')).length), 0)
})

test('what could not be sent survives the page and is sent by the next one', async () => {
  const { page, id } = await visit()
  site.road.down = true
  const before = site.road.posts().length
  await track(page, 'Test Survivor')
  await eventually(() => site.road.posts().length, (n) => n > before, 'a failure')
  await page.goto(`${site.origin}/second.html`)
  site.road.down = false
  assert.deepEqual(names(await settledEvents(id, 1, tracks)), ['Test Survivor'])
})

test('what is called as the page ends is not lost', async () => {
  const { page, id } = await visit()
  await page.evaluate(() => {
    document.getElementById('next').addEventListener('click', () => {
      cx('track', 'Test Click')
      cx('identify', 'user-8', { plan: 'blue' })
      cx('track', 'Test Last')
    })
  })
  await page.click('#next')
  await page.waitForURL(/second/)
  const rows = await settledEvents(id, 5)
  assert.deepEqual(names(rows.filter(tracks)).sort(), ['Test Click', 'Test Last'])
  assert.equal(rows.filter((r) => r.user_id === 'user-8').length >= 1, true)
  assert.equal(new Set(rows.map((r) => r.message_id)).size, rows.length)
})

test('a closed tab sends what was waiting', async () => {
  const { page, id } = await visit()
  await page.evaluate(() => cx('identify', 'user-9', { plan: 'red' }))
  await page.close({ runBeforeUnload: true })
  const rows = await settledEvents(id, 2)
  assert.equal(rows.length, 2)
})

test('a page view for each page of a single-page site, and none for a hash', async () => {
  const { page, id } = await visit()
  await page.evaluate(() => {
    history.pushState(null, '', '/products?p=1')
    document.title = 'Products'
  })
  await answerTo(page, 'page')
  await page.evaluate(() => history.replaceState(null, '', '/products?p=1#details'))
  await page.evaluate(() => history.pushState(null, '', '/cart'))
  await answerTo(page, 'page')
  await Promise.all([answerTo(page, 'page'), page.goBack()])
  await track(page, 'Test End')
  const rows = await settledEvents(id, 5)
  const pages = rows.filter((r) => r.name !== 'Test End').map((r) => JSON.parse(text(r.properties)))
  assert.deepEqual(pages.map((p) => p.path), ['/', '/products', '/cart', '/products'])
  assert.equal(pages[1].title, 'Products')
  assert.equal(pages[1].referrer, `${site.origin}/`)
})

test('a site that says its pages itself is not second-guessed', async () => {
  const { page, id } = await visit('/byhand.html')
  await page.evaluate(() => history.pushState(null, '', '/elsewhere'))
  await track(page, 'Test End')
  const rows = await settledEvents(id, 2)
  assert.equal(rows.length, 2)
  assert.equal(JSON.parse(text(rows[0].properties)).section, 'start')
})

test('a page that comes back from the cache is a new page view of the same visitor', async () => {
  const { page, id } = await visit()
  await page.evaluate(() => addEventListener('pageshow', (e) => (window.cameBack = e.persisted)))
  await Promise.all([answerTo(page, 'page'), page.click('#next')])
  await Promise.all([answerTo(page, 'page'), page.goBack({ waitUntil: 'commit' })])
  assert.equal(await page.evaluate(() => window.cameBack), true)
  await track(page, 'Test Back')
  const rows = await settledEvents(id, 4)
  assert.deepEqual(rows.map((r) => JSON.parse(text(r.context)).page.title), ['First', 'Second', 'First', 'First'])
})

test('reset makes a new visitor', async () => {
  const { page, id } = await visit()
  await page.evaluate(() => {
    cx('identify', 'user-10')
    cx('reset')
    cx('track', 'Test New')
  })
  const next = await anonymousId(page)
  assert.notEqual(next, id)
  const [row] = await settledEvents(next, 1)
  assert.equal(row.name, 'Test New')
  assert.ok(!row.user_id)
})

test('a strict policy blocks nothing of the SDK', async () => {
  const { page, id, calm } = await visit('/?csp')
  await track(page, 'Test Strict')
  assert.equal((await settledEvents(id, 2)).length, 2)
  calm()
})
