// The shapes that travel between a page and the server.

/** One event in Segment's shape. */
export interface Message {
  type: 'track' | 'page' | 'identify' | 'group' | 'alias'
  messageId: string
  timestamp: string
  anonymousId: string
  userId?: string
  previousId?: string
  groupId?: string
  event?: string
  name?: string
  properties?: Fields
  traits?: Fields
  context: Fields
}

export type Fields = Record<string, unknown>

/** What the server answers to a request that was stored. */
export interface Answer {
  actions?: Action[]
  /** Decision and action, as "d_…/name", of messages that no longer apply. */
  withdraw?: string[]
  rejected?: { index: number; reason: string }[]
}

/** One message to show now. */
export interface Action {
  decision: string
  action: string
  place: string
  layout: 'bar' | 'modal'
  lang?: string
  /** The same decision is on screen already; only its words changed. */
  update?: boolean
  /** It stays, over page loads too, until it is withdrawn, closed or replaced. */
  live?: boolean
  content: Content
  tone?: 'info' | 'success'
  /** Seconds within which it must have been seen; after that it is void. */
  expires_in?: number
}

export interface Content {
  title?: string
  text?: string
  button?: { label: string; url?: string }
  close?: string
}

/** The name under which the server withdraws a message. */
export const nameOf = (a: Action) => `${a.decision}/${a.action}`

/** A random UUID, also where the page is not a secure context. */
export function uuid(): string {
  if (crypto.randomUUID) return crypto.randomUUID()
  const b = crypto.getRandomValues(new Uint8Array(16))
  b[6] = (b[6]! & 0x0f) | 0x40
  b[8] = (b[8]! & 0x3f) | 0x80
  const hex = Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
