import type { Fate } from './line.ts'
import { keepaliveBytes, sizeOf } from './line.ts'
import { deliverable, type Parcel } from './shelf.ts'
import type { Answer, Message } from './wire.ts'

/** What an outbox needs of the world. */
export interface World {
  post(batch: Message[]): Promise<Fate>
  part(batch: Message[]): boolean
  shelf: { keep(parcels: Parcel[], gone?: boolean): void; clear(): void; intact(): boolean; adopt(): Promise<Parcel[]> }
  online(): boolean
  random(): number
  answered(answer: Answer): void
  warn(text: string): void
}

const linger = 2000 // ms that an unhurried event waits for company
const company = 10 // events that are worth a request by themselves
const most = 100 // events in one request
const largest = 32 * 1024 // bytes of one event
const envelope = 200 // bytes of a request around its events

/**
 * Outbox sends events in order, one request at a time, until the server has
 * stored them. What is waiting when the page ends is handed to the browser and
 * kept for the next page as well; the server knows an event by its message id.
 */
export class Outbox {
  private queue: Parcel[] = []
  private flying: Parcel[] = []
  private failures = 0
  private limit = most
  private timer: ReturnType<typeof setTimeout> | undefined
  private due = Infinity
  private notBefore = 0
  private gone = false

  constructor(private w: World) {}

  /** Takes an event; hurried ones are sent at once, the others within two seconds. */
  add(m: Message, hurried: boolean): void {
    if (sizeOf(JSON.stringify(m)) > largest) return this.w.warn(`"${titleOf(m)}" is larger than 32 KB and was not sent`)
    this.queue.push({ m, at: Date.now() })
    this.wake(hurried || this.queue.length >= company ? 0 : linger)
    if (!this.sending() || this.queue.length) this.keep()
  }

  /** Sends what earlier pages could not. */
  async resume(): Promise<void> {
    const left = await this.w.shelf.adopt()
    if (!left.length) return
    this.queue = [...left, ...this.queue]
    this.wake(0)
  }

  /** Tries again now, whatever was to be waited for: the connection is back. */
  retry(): void {
    this.notBefore = 0
    this.wake(0)
  }

  /**
   * The page is hidden or, with gone, ending: everything must leave or be kept
   * now. An ending page is told that it is hidden as well, afterwards.
   */
  leave(gone: boolean): void {
    if (this.gone) return
    this.gone = gone
    const batch = this.w.online() ? this.next(company * 5) : []
    if (batch.length && this.w.part(batch.map((p) => p.m))) for (const p of batch) p.tried ??= Date.now()
    this.keep()
  }

  /** The page that had ended is there again. */
  comeBack(): void {
    this.gone = false
    this.retry()
  }

  private keep(): void {
    this.w.shelf.keep(this.all(), this.gone)
  }

  private all(): Parcel[] {
    return [...this.flying, ...this.queue]
  }

  private sending(): boolean {
    return this.flying.length > 0
  }

  private wake(wait: number): void {
    const due = Math.max(Date.now() + wait, this.notBefore)
    if (due <= Date.now()) return void this.flush()
    if (due >= this.due) return
    clearTimeout(this.timer)
    this.due = due
    this.timer = setTimeout(() => this.flush(), due - Date.now())
  }

  private async flush(): Promise<void> {
    clearTimeout(this.timer)
    this.due = Infinity
    if (this.sending() || !this.w.online()) return
    if (Date.now() < this.notBefore) return this.wake(0)
    this.drop()
    this.flying = this.next(this.limit)
    if (!this.flying.length) return
    this.queue = this.queue.slice(this.flying.length)
    for (const p of this.flying) p.tried ??= Date.now()
    this.settle(await this.w.post(this.flying.map((p) => p.m)))
    if (this.queue.length) this.wake(0)
  }

  /** Leaves out what another page has taken over and what is too old to repeat. */
  private drop(): void {
    const mine = this.w.shelf.intact()
    this.queue = this.queue.filter((p) => (mine || !p.kept) && deliverable(p))
  }

  /** The first parcels of the queue, at most n and small enough to outlive the page. */
  private next(n: number): Parcel[] {
    let size = envelope
    let i = 0
    while (i < this.queue.length && i < n) {
      size += sizeOf(JSON.stringify(this.queue[i]!.m)) + 1
      if (i > 0 && size > keepaliveBytes) break
      i++
    }
    return this.queue.slice(0, i)
  }

  private settle(fate: Fate): void {
    const sent = this.flying
    this.flying = []
    if (fate.kind === 'again') this.postpone(sent, fate.after)
    else if (fate.kind === 'refused' && sent.length > 1) this.oneByOne(sent)
    else this.done()
    this.keep()
    if (fate.kind === 'stored') this.hear(fate.answer)
    if (fate.kind === 'refused' && sent.length === 1) this.w.warn(`"${titleOf(sent[0]!.m)}" was refused (${fate.status})`)
  }

  private postpone(sent: Parcel[], after?: number): void {
    this.queue = [...sent, ...this.queue]
    this.notBefore = Date.now() + Math.max(after ?? 0, backoff(this.failures++, this.w.random()))
  }

  /** A refused batch is repeated event by event, so that one bad event loses only itself. */
  private oneByOne(sent: Parcel[]): void {
    this.queue = [...sent, ...this.queue]
    this.limit = 1
  }

  private done(): void {
    this.failures = 0
    if (!this.queue.length) this.limit = most
  }

  private hear(answer: Answer): void {
    for (const r of answer.rejected ?? []) this.w.warn(`event ${r.index} was rejected: ${r.reason}`)
    this.w.answered(answer)
  }
}

const titleOf = (m: Message) => m.event ?? m.type

/**
 * Milliseconds to wait after so many failures before this one: half a second,
 * doubling up to a minute, shortened by up to a half at random (0 to 1) so that
 * many browsers do not come back together.
 */
export function backoff(failures: number, random: number): number {
  return Math.min(500 * 2 ** failures, 60_000) * (1 - random / 2)
}
