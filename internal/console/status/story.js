// A customer's story: events, decisions, exposures, deliveries, segments, newest first.
import { arrange, h } from './dom.js'
import { decision } from './decision.js'
import { clock, eventName, fate, text } from './text.js'

/** Story shows the items of one customer and keeps what the reader has opened. */
export class Story {
  #list = h('ol', { class: 'story' })
  #drawn = new Map()

  constructor(parent, title, older) {
    this.more = h('button', { type: 'button', class: 'more', 'data-testid': 'older', click: older }, text('older'))
    parent.replaceChildren(title, this.#list, this.more)
  }

  /** Draws items, newest first; whole says that the last one is the first that ever happened. */
  draw(items, whole) {
    const starts = visitStarts(items, whole)
    arrange(this.#list, items.flatMap((item) => {
      const e = this.#once(keyOf(item), () => draw(item))
      if (!starts.has(item)) return [e]
      return [e, this.#once(`visit ${item.session}`, () => h('li', { class: 'visit' }, `${text('began')} ${item.session}`))]
    }))
    this.more.hidden = whole
  }

  #once(key, make) {
    if (!this.#drawn.has(key)) this.#drawn.set(key, make())
    return this.#drawn.get(key)
  }
}

/** The events with which a visit begins, among items in order from new to old. */
export function visitStarts(items, whole) {
  const events = items.filter((i) => i.kind === 'event' && i.session)
  return new Set(events.filter((e, i) => (i + 1 < events.length ? events[i + 1].session !== e.session : whole)))
}

/** Items have no id: kind, place in the journal and subject name them. */
export const keyOf = (i) => [i.kind, i.position, i.decision, i.action, i.fate, i.segment, i.entered, i.other].join(' ')

function draw(item) {
  const body = (kinds[item.kind] ?? unknown)(item)
  return h('li', { class: `item ${item.kind}`, 'data-testid': `item-${item.kind}` }, h('time', { datetime: item.at }, clock(item.at)), h('div', { class: 'body' }, body))
}

const kinds = {
  event(i) {
    const said = eventName(i.name)
    const head = h('p', { class: 'title' }, h('strong', {}, said), said !== i.name && h('code', {}, i.name), i.late && h('span', { class: 'chip warn' }, text('late')))
    return [head, summary(i.properties), properties(i.properties)]
  },
  decision(i) {
    return decision(i)
  },
  exposure(i) {
    return h('p', { class: 'title' }, h('strong', {}, fate(i.fate)), h('code', {}, i.action), h('span', { class: 'soft' }, i.place))
  },
  delivery(i) {
    return h('p', { class: 'title' }, h('strong', {}, fate(i.fate)), h('code', {}, i.action), h('span', { class: 'soft' }, [i.destination, i.reason].filter(Boolean).join(' · ')))
  },
  segment(i) {
    return h('p', { class: 'title' }, text(i.entered ? 'entered' : 'leftSegment'), h('span', { class: 'chip' }, i.segment), i.by_time && h('span', { class: 'soft' }, text('byTime')))
  },
  merge(i) {
    return h('p', { class: 'title' }, text('merged'), h('code', {}, i.other), h('span', { class: 'soft' }, i.reason))
  },
}

const unknown = (i) => h('p', { class: 'title' }, i.kind)

/** What a reader wants of the properties at a glance. */
function summary(p) {
  if (!p || typeof p !== 'object') return undefined
  const parts = [p.name, p.quantity > 1 && `× ${p.quantity}`, money(p), !p.name && (p.title || p.path), p.order_id, p.action]
  const said = parts.filter(Boolean).join('  ')
  return said ? h('p', { class: 'soft' }, said) : undefined
}

function money(p) {
  const yen = p.total ?? p.price
  return yen === undefined ? undefined : `${Number(yen).toLocaleString()} ${p.currency ?? ''}`.trim()
}

function properties(p) {
  const entries = Object.entries(p ?? {})
  if (!entries.length) return undefined
  const rows = entries.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, typeof value === 'string' ? value : JSON.stringify(value))))
  return h('details', {}, h('summary', {}, text('details')), h('dl', { class: 'table' }, rows))
}
