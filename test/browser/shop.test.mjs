// What a visitor of the demo shop sees, in a real browser, against the running program.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { anonymousId, answerTo, launch, message, newVisitor } from './lib/browser.mjs'
import { server, settledEvents } from './lib/server.mjs'

let browser
before(async () => (browser = await launch()))
after(() => browser.close())

const texts = {
  ja: { locale: 'ja-JP', more: 'あと1,000円で送料無料', free: '送料無料になりました', total: '4,500円' },
  en: { locale: 'en-US', more: '¥1,000 more and shipping is free', free: 'You have free shipping!', total: '¥4,500' },
}

async function visit(locale, more = {}) {
  const visitor = await newVisitor(browser, { locale, ...more })
  await visitor.page.goto(`${server}/shop/`)
  return visitor
}

/** Clicks and returns the answer to the event that the click caused. */
async function act(page, testid, event) {
  const [answer] = await Promise.all([answerTo(page, event), page.getByTestId(testid).click()])
  return answer
}

for (const [language, say] of Object.entries(texts)) {
  test(`${language}: the answer to the very event brings the bar, follows the cart, and goes with the order`, async () => {
    const { page, calm } = await visit(say.locale)
    const bar = message(page, 'top-bar').locator('.words')

    const shirt = await act(page, 'add-linen-shirt', 'Product Added')
    assert.deepEqual(shirt.actions.map((a) => [a.action, a.place, a.lang, a.content.text]), [['free-shipping-bar', 'top-bar', language, say.more]])
    await bar.getByText(say.more, { exact: true }).waitFor()

    await act(page, 'add-cotton-socks', 'Product Added')
    await bar.getByText(say.free, { exact: true }).waitFor()
    assert.equal(await message(page, 'top-bar').count(), 1)

    await act(page, 'cart-open', 'Cart Viewed')
    await page.getByTestId('checkout').click()
    await act(page, 'order', 'Order Completed')
    await page.getByTestId('thanks').waitFor()
    await message(page, 'top-bar').waitFor({ state: 'detached' })
    calm()
  })

  test(`${language}: the cart shows what it comes to`, async () => {
    const { page, calm } = await visit(say.locale)
    await page.getByTestId('add-linen-shirt').click()
    await page.getByTestId('cart-open').click()
    assert.equal(await page.getByTestId('total').textContent(), say.total)
    await page.reload()
    assert.equal(await page.getByTestId('cart-count').textContent(), '1')
    calm()
  })
}

test('the bar changes its words when the cart does, as the same message', async () => {
  const { page, calm } = await visit('en-US')
  const seen = answerTo(page, 'Message Shown')
  const first = await act(page, 'add-cotton-socks', 'Product Added')
  await message(page, 'top-bar').getByText('¥4,000 more').waitFor()
  await seen
  const second = await act(page, 'add-tenugui', 'Product Added')
  await message(page, 'top-bar').getByText('¥2,800 more').waitFor()
  assert.equal(second.actions[0].update, true)
  assert.equal(second.actions[0].decision, first.actions[0].decision)
  await page.getByTestId('cart-open').click()
  await page.getByTestId('remove-tenugui').click()
  await message(page, 'top-bar').getByText('¥4,000 more').waitFor()
  calm()
})

test('the bar survives a reload and is reported as seen once', async () => {
  const { page, calm } = await visit('en-US')
  await page.getByTestId('add-linen-shirt').click()
  await answerTo(page, 'Message Shown')
  await page.reload()
  await message(page, 'top-bar').getByText(texts.en.more).waitFor()
  const id = await anonymousId(page)
  await page.getByTestId('lang-ja').click()
  await message(page, 'top-bar').getByText(texts.ja.more).waitFor()
  const shown = await settledEvents(id, 1, (e) => e.name === 'Message Shown')
  assert.equal(shown.length, 1)
  calm()
})

test('a closed bar stays closed', async () => {
  const { page, calm } = await visit('en-US')
  await page.getByTestId('add-linen-shirt').click()
  await message(page, 'top-bar').getByRole('button', { name: 'Close' }).click()
  await message(page, 'top-bar').waitFor({ state: 'detached' })
  const id = await anonymousId(page)
  await settledEvents(id, 1, (e) => e.name === 'Message Dismissed')
  await act(page, 'add-sewn-notebook', 'Product Added')
  await page.reload()
  assert.equal(await message(page, 'top-bar').count(), 0)
  calm()
})

test('on a phone nothing is wider than the screen', async () => {
  for (const width of [320, 390]) {
    const { page, calm } = await visit('en-US', { viewport: { width, height: 780 } })
    await act(page, 'add-linen-shirt', 'Product Added')
    await message(page, 'top-bar').getByText(texts.en.more).waitFor()
    await page.getByTestId('cart-open').click()
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width)
    calm()
  }
})
