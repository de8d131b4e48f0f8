import type { Acts } from './view.ts'
import type { Content } from '../wire.ts'
import sheetText from './messages.css'

let sheet: CSSStyleSheet | undefined

/** A host with an open shadow root that only our own sheet styles, as a strict CSP allows. */
export function host(place: string): { host: HTMLElement; root: ShadowRoot } {
  const host = document.createElement('cx-message')
  host.dataset.place = place
  const root = host.attachShadow({ mode: 'open' })
  if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(sheetText)
  root.adoptedStyleSheets = [sheet]
  return { host, root }
}

/** An element with a class; text goes in as text and is never read as markup. */
export function make<T extends keyof HTMLElementTagNameMap>(tag: T, name: string, text?: string): HTMLElementTagNameMap[T] {
  const e = document.createElement(tag)
  e.className = name
  if (text) e.textContent = text
  return e
}

/** The message's button: a link where it leads somewhere, else a button that also closes it. */
export function button(b: NonNullable<Content['button']>, acts: Acts): HTMLElement {
  const url = safe(b.url)
  const e = make(url ? 'a' : 'button', 'act', b.label)
  if (url) (e as HTMLAnchorElement).href = url
  else (e as HTMLButtonElement).type = 'button'
  e.addEventListener('click', () => {
    acts.click()
    if (!url) acts.close()
  })
  return e
}

/** The close button, named in the message's language. */
export function closer(content: Content, lang: string, close: () => void): HTMLButtonElement {
  const e = make('button', 'close')
  e.type = 'button'
  e.setAttribute('aria-label', content.close || (lang === 'ja' ? '閉じる' : 'Close'))
  e.addEventListener('click', close)
  return e
}

/** The URL when it is http, https or relative; nothing else may run from a message. */
export function safe(url?: string): string | undefined {
  if (!url) return undefined
  try {
    return /^https?:$/.test(new URL(url, location.href).protocol) ? url : undefined
  } catch {
    return undefined
  }
}

/** Runs act once there is a body to put things into. */
export function whenBody(act: () => void): void {
  if (document.body) act()
  else document.addEventListener('DOMContentLoaded', act, { once: true })
}
