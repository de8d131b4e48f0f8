// Who is here: the visitors seen last, and everything as it happens.
import { arrange, h } from './dom.js'
import { ago, clock, eventName, text } from './text.js'

const rows = new Map() // by customer id
const most = 50
const lines = 14

/** A colour that stays with a customer. */
export function hue(id) {
  let sum = 0
  for (const c of id) sum = (sum * 31 + c.codePointAt(0)) % 360
  return sum
}

/** A name a reader can hold on to: the strongest identity, else the end of the id. */
export function nameOf(customer) {
  const known = customer.identities?.find((i) => i.namespace !== 'anonymous_id')
  return known?.value ?? `#${customer.id.slice(-5)}`
}

/** A round mark in the customer's colour. */
export function mark(id) {
  const e = h('span', { class: 'mark', 'aria-hidden': 'true' }, id.slice(-2))
  e.style.setProperty('--hue', hue(id))
  return e
}

/** Draws the list; the chosen one is marked. */
export function drawPeople(list, customers, chosen, choose) {
  if (!customers.length) return list.replaceChildren(h('li', { class: 'quiet' }, text('nobody')))
  arrange(list, customers.slice(0, most).map((c) => row(c, c.id === chosen, choose)))
}

function row(c, chosen, choose) {
  const known = rows.get(c.id) ?? newRow(c, choose)
  const { button, name, last, when } = known
  button.setAttribute('aria-current', String(chosen))
  name.textContent = nameOf(c)
  last.textContent = eventName(c.last_event)
  when.textContent = c.session?.running ? `${ago(c.last_seen)}` : ago(c.last_seen)
  known.li.classList.toggle('running', !!c.session?.running)
  return known.li
}

function newRow(c, choose) {
  const parts = { name: h('strong'), last: h('span', { class: 'last' }), when: h('time') }
  const button = h('button', { type: 'button', 'data-testid': 'person', click: () => choose(c.id) }, mark(c.id), parts.name, parts.last, parts.when)
  const made = { ...parts, button, li: h('li', {}, button) }
  rows.set(c.id, made)
  return made
}

/** Puts one activity on top of the feed. */
export function drawActivity(feed, a, choose) {
  const li = h('li', {},
    h('time', {}, clock(a.at)),
    h('button', { type: 'button', class: 'plain', click: () => choose(a.customer) }, mark(a.customer), eventName(a.name)),
    a.decision && h('span', { class: 'chip decided' }, text('decided')),
    (a.entered ?? []).map((s) => h('span', { class: 'chip' }, s)))
  feed.prepend(li)
  while (feed.children.length > lines) feed.lastElementChild.remove()
}
