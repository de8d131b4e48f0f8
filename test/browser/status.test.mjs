// The status page: a visitor arrives live, their story, and why it was decided so.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, message, newVisitor } from './lib/browser.mjs'
import { readKey, server } from './lib/server.mjs'

let browser
before(async () => (browser = await launch()))
after(() => browser.close())

test('the page asks for a key and says when it is wrong', async () => {
  const { page, calm } = await newVisitor(browser)
  await page.goto(`${server}/status`)
  await page.getByTestId('key').fill('wrong')
  await page.getByTestId('enter').click()
  await page.getByText('This key is not known').waitFor()
  await page.getByTestId('key').fill(readKey)
  await page.getByTestId('enter').click()
  await page.getByTestId('people').waitFor()
  calm()
})

test('a key in the address is taken out of it', async () => {
  const { page } = await newVisitor(browser)
  await page.goto(`${server}/status#key=${readKey}`)
  await page.getByTestId('people').waitFor()
  assert.ok(!page.url().includes(readKey), page.url())
})

test('a visitor arrives live; the story tells events, decision and exposure; the decision opens', async () => {
  const { page: desk, calm } = await newVisitor(browser, { viewport: { width: 1300, height: 900 } })
  await desk.goto(`${server}/status#key=${readKey}`)
  await desk.getByTestId('health').getByText('Running').waitFor()

  const { page: shop } = await newVisitor(browser)
  await shop.goto(`${server}/shop/`)
  await shop.getByTestId('add-linen-shirt').click()
  await message(shop, 'top-bar').waitFor()
  const arrival = desk.getByTestId('feed').getByRole('button', { name: 'Product Added' }).first()
  await arrival.waitFor()
  await arrival.click()

  const story = desk.getByTestId('story')
  await story.getByTestId('item-event').filter({ hasText: 'Product Added' }).waitFor()
  const decided = story.getByTestId('item-decision').filter({ hasText: 'free-shipping-bar' })
  await story.getByTestId('item-exposure').filter({ hasText: 'free-shipping-bar' }).waitFor()
  await decided.getByTestId('decision').locator('summary').first().click()

  const winner = decided.getByTestId('candidate').filter({ hasText: '✓' })
  assert.match(await winner.textContent(), /free-shipping-bar.*shown.*top-bar/)
  const numbers = (await winner.getByTestId('formula').locator('output').allTextContents()).map((n) => Number(n.replaceAll(',', '')))
  const [p, c, v, l, score] = numbers
  assert.ok(score > 0 && Math.abs(p * c * v * l - score) < 0.02 * score, numbers.join(' '))
  assert.match(await decided.locator('[data-gate="applicability"]').first().textContent(), /free-shipping-reached-bar.*makes no sense at this moment/)

  await desk.getByTestId('lang-ja').click()
  await story.getByTestId('item-event').filter({ hasText: 'かごに入れた' }).waitFor()
  await desk.getByTestId('facts-segments').getByText('cart-below-free-shipping').waitFor()
  calm()
})

test('on a phone the list leads to the story and back', async () => {
  const { page, calm } = await newVisitor(browser, { viewport: { width: 390, height: 780 } })
  await page.goto(`${server}/status#key=${readKey}`)
  await page.getByTestId('person').first().click()
  await page.getByTestId('customer-id').waitFor()
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390)
  await page.getByRole('button', { name: 'All visitors' }).click()
  await page.getByTestId('person').first().waitFor()
  calm()
})
