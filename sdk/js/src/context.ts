import type { Fields } from './wire.ts'

/** Where the visitor was when a call was made; frozen, because pages move on. */
export interface Spot {
  at: number
  url: string
  referrer: string
  title: string
}

/** The spot of this moment. */
export function here(referrer = document.referrer): Spot {
  return { at: Date.now(), url: location.href, referrer, title: document.title }
}

/** The page's fields in Segment's names. A hash is kept in url only. */
export function pageOf(spot: Spot): Fields {
  const url = new URL(spot.url)
  return { url: spot.url, path: url.pathname, search: url.search, referrer: spot.referrer, title: spot.title }
}

/** The context of an event at spot: page, language, device and campaign. */
export function contextOf(spot: Spot): Fields {
  const context: Fields = {
    library: { name: 'kikubari-js', version: VERSION },
    page: pageOf(spot),
    locale: document.documentElement.lang || navigator.language,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    screen: { width: screen.width, height: screen.height, density: devicePixelRatio },
    userAgent: navigator.userAgent,
  }
  const campaign = campaignOf(new URL(spot.url).searchParams)
  if (campaign) context.campaign = campaign
  return context
}

/** The utm_… parameters without their prefix, utm_campaign as name. */
export function campaignOf(query: URLSearchParams): Record<string, string> | null {
  const campaign: Record<string, string> = {}
  query.forEach((value, key) => {
    if (!key.startsWith('utm_') || !value) return
    const name = key.slice(4)
    campaign[name === 'campaign' ? 'name' : name] = value
  })
  return Object.keys(campaign).length ? campaign : null
}

declare const VERSION: string
