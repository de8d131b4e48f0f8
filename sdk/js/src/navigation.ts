import { here, type Spot } from './context.ts'

const settle = 30 // ms for a page to set its title after it moved

/**
 * Calls moved for every new page view inside one document: after the site's
 * router changed the URL (a new hash alone is the same page), and with again
 * when the browser brought the page back from its cache. The page gets a moment
 * to set its title; what is returned ends that moment, for an event that must
 * come after its page view.
 */
export function follow(moved: (spot: Spot, again: boolean) => void): () => void {
  let last = location.href
  let from: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const arrived = () => {
    clearTimeout(timer)
    const spot = from === undefined ? undefined : here(from)
    from = undefined
    if (spot) moved(spot, false)
  }
  const arrive = () => {
    if (bare(location.href) === bare(last)) return
    from ??= last
    last = location.href
    clearTimeout(timer)
    timer = setTimeout(arrived, settle)
  }
  if (window.navigation) window.navigation.addEventListener('currententrychange', arrive)
  else patchHistory(arrive)
  addEventListener('pageshow', (e) => e.persisted && moved(here(), true))
  return arrived
}

function patchHistory(arrive: () => void): void {
  for (const name of ['pushState', 'replaceState'] as const) {
    const original = history[name]
    history[name] = function (...args) {
      original.apply(this, args)
      arrive()
    }
  }
  addEventListener('popstate', arrive)
}

const bare = (url: string) => url.split('#')[0]

declare global {
  interface Window {
    navigation?: EventTarget
  }
}
