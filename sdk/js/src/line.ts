import type { Answer, Message } from './wire.ts'

/**
 * What became of a request. `again` is worth repeating, not before `after`
 * milliseconds when the server said so; `refused` will never be accepted.
 */
export type Fate =
  | { kind: 'stored'; answer: Answer }
  | { kind: 'again'; after?: number }
  | { kind: 'refused'; status: number }

/** The longest body that browsers let outlive its page. */
export const keepaliveBytes = 60_000

const patience = 10_000 // ms until a silent server counts as a broken connection

/**
 * Line sends events to the server, as text/plain with the key in the body so
 * that no request needs a preflight.
 */
export class Line {
  constructor(
    private host: string,
    private key: string,
  ) {}

  /** Sends a batch and hears the answer. Never rejects. */
  async post(batch: Message[]): Promise<Fate> {
    const body = this.body(batch)
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(), patience)
    try {
      const reply = await fetch(this.host + '/v1/b?actions=1', {
        method: 'POST',
        headers: { 'Content-Type': 'text/plain' },
        body,
        credentials: 'omit',
        keepalive: sizeOf(body) < keepaliveBytes,
        signal: stop.signal,
      })
      return await fateOf(reply)
    } catch {
      return { kind: 'again' }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Hands a batch to the browser to send after the page is gone. */
  part(batch: Message[]): boolean {
    const body = new Blob([this.body(batch)], { type: 'text/plain' })
    return navigator.sendBeacon?.(this.host + '/v1/b', body) ?? false
  }

  private body(batch: Message[]): string {
    return JSON.stringify({ writeKey: this.key, sentAt: new Date().toISOString(), batch })
  }
}

/** The fate that a reply means. */
export async function fateOf(reply: Response): Promise<Fate> {
  if (reply.ok) return { kind: 'stored', answer: await reply.json().catch(() => ({})) }
  const s = reply.status
  if (s === 408 || s === 429 || s >= 500) return { kind: 'again', after: retryAfter(reply.headers.get('Retry-After')) }
  return { kind: 'refused', status: s }
}

/** Retry-After, in seconds or as a date, in milliseconds from now; at most five minutes. */
export function retryAfter(header: string | null, now = Date.now()): number | undefined {
  if (!header) return undefined
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), 300_000)
}

/** The number of bytes of text in UTF-8. */
export const sizeOf = (text: string) => new TextEncoder().encode(text).length
