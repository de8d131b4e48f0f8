// How messages look and behave on a page, given the answers that the server may
// give. The answers are put into real replies of the program.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { anonymousId, answerTo, launch, message, newVisitor } from './lib/browser.mjs'
import { settledEvents } from './lib/server.mjs'
import { openSite } from './lib/site.mjs'

let browser, site
before(async () => ([browser, site] = await Promise.all([launch(), openSite()])))
after(() => Promise.all([browser.close(), site.close()]))

const bar = {
  decision: 'd_0000000000001', action: 'hello-bar', place: 'top-bar', channel: 'web', layout: 'bar', lang: 'en', live: true,
  content: { text: 'Hello', button: { label: 'Look', url: '/second.html' }, close: 'Close' }, tone: 'info', expires_in: 30,
}
const card = {
  decision: 'd_0000000000002', action: 'hello-card', place: 'center', channel: 'web', layout: 'modal', lang: 'en',
  content: { title: 'A question', text: 'Do you like it?', button: { label: 'Yes' }, close: 'Not now' }, expires_in: 30,
}

/** A visitor whose event "Say" is answered with what say() was given, under a strict policy. */
async function visit(options) {
  const visitor = await newVisitor(browser, options)
  const { page } = visitor
  const answers = []
  await page.route('**/v1/b?actions=1', async (route) => {
    const said = route.request().postData().includes('"event":"Say"')
    const reply = await route.fetch()
    const json = await reply.json()
    await route.fulfill({ response: reply, json: said ? { ...json, ...answers.shift() } : { success: true } })
  })
  await Promise.all([answerTo(page, 'page'), page.goto(`${site.origin}/?csp`)])
  const say = async (answer) => {
    answers.push(answer)
    await Promise.all([answerTo(page, 'Say'), page.evaluate(() => cx('track', 'Say'))])
  }
  return { ...visitor, say, id: await anonymousId(page) }
}

/** What was reported of messages: [event, decision, action, place], settled. */
async function reports(id, n) {
  const rows = await settledEvents(id, n, (e) => e.name.startsWith('Message '))
  return rows.map((e) => {
    const p = typeof e.properties === 'string' ? JSON.parse(e.properties) : e.properties
    return [e.name, p.decision_id, p.action, p.place].join(' ')
  })
}

test('a bar is seen after a second, once', async () => {
  const { page, say, id, calm } = await visit()
  await say({ actions: [bar] })
  await answerTo(page, 'Message Shown')
  await say({ actions: [{ ...bar, update: true, content: { text: 'Hello again' } }] })
  await message(page, 'top-bar').getByText('Hello again').waitFor()
  await page.reload()
  await message(page, 'top-bar').getByText('Hello again').waitFor()
  await page.evaluate(() => new Promise((after) => setTimeout(after, 1500)))
  assert.deepEqual(await reports(id, 1), ['Message Shown d_0000000000001 hello-bar top-bar'])
  calm()
})

test('what is gone within the second was not seen', async () => {
  const { page, say, id } = await visit()
  await say({ actions: [bar] })
  await message(page, 'top-bar').waitFor()
  await say({ withdraw: ['d_0000000000001/hello-bar'] })
  await message(page, 'top-bar').waitFor({ state: 'detached' })
  await page.evaluate(() => new Promise((after) => setTimeout(after, 1500)))
  assert.deepEqual(await reports(id, 0), [])
})

test('what was not seen in time is taken down', async () => {
  const { page, say } = await visit()
  await page.evaluate(() => Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' }))
  await say({ actions: [{ ...bar, expires_in: 2 }] })
  await message(page, 'top-bar').waitFor()
  await message(page, 'top-bar').waitFor({ state: 'detached' })
})

test('a click is reported although the page leaves', async () => {
  const { page, say, id } = await visit()
  await say({ actions: [bar] })
  await answerTo(page, 'Message Shown')
  await page.getByRole('link', { name: 'Look' }).click()
  await page.waitForURL(/second/)
  assert.deepEqual(await reports(id, 2), ['Message Shown d_0000000000001 hello-bar top-bar', 'Message Clicked d_0000000000001 hello-bar top-bar'])
})

test('the close button has a name, Escape works inside, focus goes back', async () => {
  const { page, say, id, calm } = await visit()
  await say({ actions: [bar] })
  await answerTo(page, 'Message Shown')
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'BODY', 'a bar takes no focus')
  await page.focus('#other')
  await page.getByRole('button', { name: 'Close' }).focus()
  await page.keyboard.press('Escape')
  await message(page, 'top-bar').waitFor({ state: 'detached' })
  assert.equal(await page.evaluate(() => document.activeElement.id), 'other')
  assert.deepEqual(await reports(id, 2), ['Message Shown d_0000000000001 hello-bar top-bar', 'Message Dismissed d_0000000000001 hello-bar top-bar'])
  calm()
})

test('an answer that was on its way does not bring back what was closed', async () => {
  const { page, say } = await visit()
  await say({ actions: [bar] })
  await page.getByRole('button', { name: 'Close' }).click()
  const again = { actions: [bar, { ...bar, decision: 'd_0000000000009', place: 'bottom-bar', content: { text: 'Below' } }] }
  await say(again)
  await message(page, 'bottom-bar').waitFor()
  assert.equal(await message(page, 'top-bar').count(), 0)
  await page.reload()
  await say(again)
  await message(page, 'bottom-bar').waitFor()
  assert.equal(await message(page, 'top-bar').count(), 0)
})

test('one message a place: the next one takes it', async () => {
  const { page, say } = await visit()
  await say({ actions: [bar, { ...bar, decision: 'd_0000000000009', place: 'bottom-bar', content: { text: 'Below' } }] })
  await say({ actions: [{ ...bar, decision: 'd_0000000000003', action: 'other-bar', content: { text: 'Other words' } }] })
  await message(page, 'top-bar').getByText('Other words').waitFor()
  assert.equal(await message(page, 'top-bar').count(), 1)
  assert.equal(await message(page, 'bottom-bar').count(), 1)
})

test('an update of a message that is not there shows nothing new', async () => {
  const { page, say } = await visit()
  await say({ actions: [bar] })
  await message(page, 'top-bar').getByText('Hello').waitFor()
  await say({ actions: [{ ...bar, decision: 'd_0000000000008', update: true, content: { text: 'Stray' } }] })
  assert.equal(await message(page, 'top-bar').getByText('Stray').count(), 0)
})

test('every tab of a visitor shows the same', async () => {
  const { page, context, say } = await visit()
  await say({ actions: [bar] })
  const tab = await context.newPage()
  await tab.goto(`${site.origin}/second.html`)
  await message(tab, 'top-bar').getByText('Hello').waitFor()
  await say({ withdraw: ['d_0000000000001/hello-bar'] })
  await message(tab, 'top-bar').waitFor({ state: 'detached' })
})

test('a card holds focus, makes the page inert, closes by Escape and gives focus back', async () => {
  const { page, say, id, calm } = await visit()
  await page.focus('#other')
  await say({ actions: [card] })
  const dialog = page.getByRole('dialog', { name: 'A question' })
  await dialog.waitFor()
  assert.equal(await page.evaluate(() => document.activeElement.shadowRoot?.activeElement.textContent), 'Yes')
  const inside = () => page.evaluate(() => document.activeElement.tagName.toLowerCase() === 'cx-message' || document.activeElement === document.body)
  for (let i = 0; i < 5; i++) {
    await page.keyboard.press('Tab')
    assert.equal(await inside(), true, 'focus left the card')
  }
  const hit = await page.evaluate(() => {
    const r = document.getElementById('other').getBoundingClientRect()
    return document.elementFromPoint(r.x + 2, r.y + 2).tagName.toLowerCase()
  })
  assert.equal(hit, 'cx-message')
  await answerTo(page, 'Message Shown')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  assert.equal(await page.evaluate(() => document.activeElement.id), 'other')
  assert.deepEqual(await reports(id, 2), ['Message Shown d_0000000000002 hello-card center', 'Message Dismissed d_0000000000002 hello-card center'])
  calm()
})

test('a click beside a card closes it, one inside does not', async () => {
  const { page, say } = await visit()
  await say({ actions: [card] })
  await page.getByText('Do you like it?').click()
  assert.equal(await page.getByRole('dialog').count(), 1)
  await page.mouse.click(5, 5)
  await page.getByRole('dialog').waitFor({ state: 'detached' })
})

test('a button that leads nowhere is a click and closes', async () => {
  const { page, say, id } = await visit()
  await say({ actions: [card] })
  await answerTo(page, 'Message Shown')
  await page.getByRole('button', { name: 'Yes' }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  assert.deepEqual(await reports(id, 2), ['Message Shown d_0000000000002 hello-card center', 'Message Clicked d_0000000000002 hello-card center'])
})

test('text is text and a link runs nothing', async () => {
  const { page, say, calm } = await visit()
  const text = '<img src=x onerror="window.hacked=1"><b>bold</b>'
  await say({ actions: [{ ...bar, content: { text, button: { label: 'Run', url: 'javascript:window.hacked=1' } } }] })
  await message(page, 'top-bar').getByText(text, { exact: true }).waitFor()
  assert.equal(await page.getByRole('link', { name: 'Run' }).count(), 0)
  await page.getByRole('button', { name: 'Run' }).click()
  assert.equal(await page.evaluate(() => window.hacked), undefined)
  calm()
})

test('who wants no motion gets none', async () => {
  for (const [reducedMotion, moves] of [['reduce', false], ['no-preference', true]]) {
    const { page, say } = await visit({ reducedMotion })
    await say({ actions: [bar] })
    const animation = await message(page, 'top-bar').evaluate((e) => getComputedStyle(e).animationName)
    assert.equal(animation !== 'none', moves)
  }
})

test('messages fit a narrow screen', async () => {
  const long = { title: 'A rather long title that has to wrap somewhere', text: 'Words '.repeat(40), button: { label: 'A long label', url: '/' } }
  for (const answer of [{ ...bar, content: { text: 'Words '.repeat(12), button: { label: 'See it', url: '/' } } }, { ...card, content: long }]) {
    const { page, say } = await visit({ viewport: { width: 320, height: 600 }, reducedMotion: 'reduce' })
    await say({ actions: [answer] })
    const box = await message(page, answer.layout === 'modal' ? 'center' : 'top-bar').evaluate((e) => {
      const r = e.getBoundingClientRect()
      return { left: r.left, right: r.right, top: r.top, bottom: r.bottom, overflow: e.scrollWidth - e.clientWidth }
    })
    assert.ok(box.left >= 0 && box.right <= 320 && box.top >= 0 && box.bottom <= 600 && box.overflow <= 0, JSON.stringify(box))
  }
})

test('text stands out from its ground in light and in dark', async () => {
  for (const dark of [false, true]) {
    for (const answer of [bar, { ...bar, tone: 'success' }, card]) {
      const { page, say } = await visit()
      if (dark) await page.evaluate(() => document.documentElement.style.setProperty('color-scheme', 'dark'))
      await say({ actions: [answer] })
      const least = await message(page, answer.layout === 'modal' ? 'center' : 'top-bar').evaluate(leastContrast)
      assert.ok(least.ratio >= 4.5, `${answer.layout} ${answer.tone ?? ''} dark=${dark}: ${JSON.stringify(least)}`)
    }
  }
})

/** The smallest contrast (WCAG 2) of any text in a message to the ground behind it. */
function leastContrast(message) {
  const channels = (color) => color.match(/[\d.]+/g).map(Number)
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => sum + w * linear(c[i] / 255), 0)
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  const ground = (e) => {
    const c = channels(getComputedStyle(e).backgroundColor)
    return c.length === 4 && c[3] === 0 ? ground(e.parentElement) : c
  }
  const texts = [...message.querySelectorAll('.words, .act, .title, .text')].filter((e) => e.textContent)
  const ratios = texts.map((e) => {
    const [a, b] = [light(channels(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x)
    return { what: e.className, ratio: (a + 0.05) / (b + 0.05) }
  })
  return ratios.sort((x, y) => x.ratio - y.ratio)[0]
}
