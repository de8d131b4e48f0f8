import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** The machine's Chromium, or the one that CHROMIUM names, with nothing of its own on the network. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || places.find(existsSync),
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/**
 * A page of a new visitor. Its violations() are what a Content-Security-Policy
 * blocked on any document so far; its errors are what scripts threw.
 */
export async function newVisitor(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1000, height: 700 }, ...options })
  const violations = []
  const errors = []
  await context.exposeBinding('__violated', (_, what) => violations.push(what))
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (e) => window.__violated(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`))
  })
  const page = await context.newPage()
  page.on('pageerror', (e) => errors.push(e.message))
  return { context, page, errors, violations, calm: () => assert.deepEqual({ violations, errors }, { violations: [], errors: [] }) }
}

/** The anonymous id that the SDK gave this visitor. */
export function anonymousId(page) {
  return page.evaluate(() => localStorage.getItem('cx_id'))
}

/** Resolves with request, events and answer of the next call whose events include that name. */
export async function answerTo(page, name) {
  const has = (e) => e.event === name || e.type === name
  const reply = await page.waitForResponse((r) => r.url().includes('/v1/b') && r.request().postData() && JSON.parse(r.request().postData()).batch.some(has))
  return reply.json()
}

/** A message on the screen of a page, by place. */
export function message(page, place) {
  return page.locator(`cx-message[data-place="${place}"]`).locator('.bar, .card')
}
