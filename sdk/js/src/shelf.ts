import { keep, namesOf, recall, recallJSON } from './memory.ts'
import type { Message } from './wire.ts'

/** An event on its way. tried is when it was first sent, in ms; kept means it is on the shelf. */
export interface Parcel {
  m: Message
  at: number
  tried?: number
  kept?: boolean
}

interface Stock {
  at: number
  gone: boolean
  parcels: Parcel[]
}

const room = 200_000 // characters kept at most; the oldest go first
const abandoned = 30_000 // ms after which a living page's shelf may be taken over
const day = 24 * 3600_000

/**
 * Shelf keeps one page's unsent events in localStorage, so that a later page
 * can send them. Each page writes only its own shelf; shelves of pages that are
 * gone are taken over under a lock, by one page.
 */
export class Shelf {
  private prefix: string
  private name: string
  private full = false

  constructor(key: string, page: string) {
    this.prefix = `cx_q:${key}:`
    this.name = this.prefix + page
  }

  /** Writes all parcels; gone says that the page is ending. */
  keep(parcels: Parcel[], gone = false): void {
    if (!parcels.length) return this.clear()
    let stock: Stock = { at: Date.now(), gone, parcels: parcels.map(({ m, at, tried }) => ({ m, at, tried })) }
    while (JSON.stringify(stock).length > room) stock = { ...stock, parcels: stock.parcels.slice(1) }
    this.full = keep(this.name, JSON.stringify(stock))
    if (this.full) for (const p of parcels.slice(-stock.parcels.length)) p.kept = true
  }

  clear(): void {
    if (this.full) keep(this.name, null)
    this.full = false
  }

  /** False when another page has taken over what this one had kept. */
  intact(): boolean {
    return !this.full || recall(this.name) !== null
  }

  /** Takes over what pages before this one left behind, oldest first. */
  async adopt(): Promise<Parcel[]> {
    if (!this.others().length) return []
    const take = () => this.others().flatMap(takeOver).filter(deliverable).sort((a, b) => a.at - b.at)
    if (!navigator.locks) return take()
    return navigator.locks.request('cx_q', { ifAvailable: true }, (lock) => (lock ? take() : []))
  }

  private others(): string[] {
    return namesOf(this.prefix).filter((name) => name !== this.name)
  }
}

function takeOver(name: string): Parcel[] {
  const stock = recallJSON<Stock>(name)
  if (stock && !stock.gone && Date.now() - stock.at < abandoned) return []
  keep(name, null)
  return stock?.parcels ?? []
}

/**
 * Whether sending an event again can neither count it twice nor come too late:
 * the server knows a message id for a day and accepts events of the last week.
 */
export function deliverable(p: Parcel): boolean {
  const now = Date.now()
  return p.tried ? now - p.tried < day - 3600_000 : now - p.at < 7 * day
}
