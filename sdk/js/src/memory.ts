// What the browser remembers for us. Every act is safe where storage is
// blocked, full or absent: it is then forgotten with the page.

const days400 = 400 * 24 * 3600

/** The text kept under name, null when there is none. */
export function recall(name: string): string | null {
  try {
    return localStorage.getItem(name)
  } catch {
    return null
  }
}

/** Keeps text under name, or forgets it when text is null. False when the browser refuses. */
export function keep(name: string, text: string | null): boolean {
  try {
    if (text === null) localStorage.removeItem(name)
    else localStorage.setItem(name, text)
    return true
  } catch {
    return false
  }
}

/** The JSON value kept under name, undefined when there is none or it is broken. */
export function recallJSON<T>(name: string): T | undefined {
  try {
    return JSON.parse(recall(name) ?? '') as T
  } catch {
    return undefined
  }
}

/** Names of everything kept that start with prefix. */
export function namesOf(prefix: string): string[] {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(prefix))
  } catch {
    return []
  }
}

export function readCookie(name: string): string | null {
  const found = document.cookie.split('; ').find((c) => c.startsWith(name + '='))
  return found ? decodeURIComponent(found.slice(name.length + 1)) : null
}

/** Sets a first-party cookie for 400 days, the longest that browsers allow. */
export function writeCookie(name: string, value: string, domain?: string): void {
  document.cookie =
    `${name}=${encodeURIComponent(value)}; Path=/; Max-Age=${days400}; SameSite=Lax` +
    (domain ? `; Domain=${domain}` : '') +
    (location.protocol === 'https:' ? '; Secure' : '')
}
