import { keep, recallJSON } from '../memory.ts'
import { nameOf, type Action, type Answer } from '../wire.ts'
import { Bar } from './bar.ts'
import { Card } from './card.ts'
import { watch } from './exposure.ts'
import type { Acts, View } from './view.ts'

export type Report = (event: 'Message Shown' | 'Message Clicked' | 'Message Dismissed', action: Action) => void

interface Shown {
  action: Action
  view: View
  seen: boolean
  unwatch(): void
}

interface Kept {
  at: number
  seen: boolean
  action: Action
}

const shelf = 'cx_stage'
const finished = 'cx_closed'
const visit = 30 * 60_000 // ms that a live message outlives the last page that showed it

/**
 * Stage holds what is on screen: one message a place. Live messages come back
 * on the next page and are the same in every tab.
 */
export class Stage {
  private shown = new Map<string, Shown>()
  /** What the visitor is done with: an answer that was on its way must not bring it back. */
  private done = recallJSON<string[]>(finished) ?? []

  constructor(private report: Report) {
    addEventListener('storage', (e) => e.key === shelf && this.reconcile())
  }

  /** Does what an answer asks: first what leaves, then what comes. */
  take(answer: Answer): void {
    for (const s of [...this.shown.values()]) if (answer.withdraw?.includes(nameOf(s.action))) this.leave(s)
    for (const action of answer.actions ?? []) this.enter(action)
  }

  /** Makes the screen agree with what the other tabs show. */
  reconcile(): void {
    const kept = Object.values(recallJSON<Record<string, Kept>>(shelf) ?? {}).filter((k) => Date.now() - k.at < visit)
    const names = kept.map((k) => nameOf(k.action))
    for (const s of [...this.shown.values()]) if (s.action.live && !names.includes(nameOf(s.action))) this.close(s)
    for (const k of kept) this.place(k.action, k.seen)
  }

  /** Takes everything off the screen. */
  clear(): void {
    for (const s of [...this.shown.values()]) this.leave(s)
  }

  private enter(action: Action): void {
    const on = this.shown.get(action.place)
    if (this.done.includes(nameOf(action))) return
    if (action.update && on && nameOf(on.action) !== nameOf(action)) return
    this.place(action, on?.seen && nameOf(on.action) === nameOf(action))
    this.remember()
  }

  private place(action: Action, seen = !!action.update): void {
    const on = this.shown.get(action.place)
    if (on && nameOf(on.action) === nameOf(action)) {
      if (seen) on.unwatch()
      on.seen ||= seen
      on.action = action
      return on.view.show(action)
    }
    if (on) this.close(on)
    this.shown.set(action.place, this.open(action, seen))
  }

  private open(action: Action, seen: boolean): Shown {
    const s = { action, seen } as Shown
    const acts: Acts = {
      click: () => this.report('Message Clicked', s.action),
      dismiss: () => {
        this.finish(s)
        this.report('Message Dismissed', s.action)
      },
      close: () => this.finish(s),
    }
    s.view = action.layout === 'modal' ? new Card(action.place, acts) : new Bar(action.place, acts)
    s.view.show(action)
    s.unwatch = seen ? () => {} : watch(s.view.element, (action.expires_in ?? 30) * 1000, () => this.saw(s), () => this.leave(s))
    return s
  }

  private saw(s: Shown): void {
    s.seen = true
    this.remember()
    this.report('Message Shown', s.action)
  }

  private finish(s: Shown): void {
    this.done = [...this.done.slice(-19), nameOf(s.action)]
    keep(finished, JSON.stringify(this.done))
    this.leave(s)
  }

  private leave(s: Shown): void {
    this.close(s)
    this.remember()
  }

  private close(s: Shown): void {
    s.unwatch()
    s.view.remove()
    if (this.shown.get(s.action.place) === s) this.shown.delete(s.action.place)
  }

  private remember(): void {
    const live = [...this.shown.values()].filter((s) => s.action.live)
    const kept = live.map(({ action, seen }) => [action.place, { at: Date.now(), seen, action }])
    keep(shelf, live.length ? JSON.stringify(Object.fromEntries(kept)) : null)
  }
}
