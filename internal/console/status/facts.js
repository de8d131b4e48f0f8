// What is known of a customer now.
import { h } from './dom.js'
import { amount, clock, fate, text } from './text.js'

/** The panel beside the story. */
export function facts(c) {
  return [
    part('session', h('p', {}, `${text('session')} ${c.session.number} · ${c.session.events} ${text('events')}`, c.session.running && h('span', { class: 'chip win' }, text('here')))),
    part('segments', chips(c.segments)),
    part('identities', table(c.identities.map((i) => [i.namespace, i.value]))),
    part('traits', table(c.traits.map((t) => [t.name, show(t.value)]))),
    part('statistics', table(c.statistics.map((s) => [s.statistic, show(s.value)]), 'stacked')),
    part('consent', table(c.consent.map((g) => [[g.purpose, g.channel].filter(Boolean).join(' · '), text(g.allowed ? 'yes' : 'no')]))),
    part('said', said(c.ledger)),
  ]
}

const part = (name, inside) => h('section', { 'data-testid': `facts-${name}` }, h('h3', {}, text(name)), inside)

const quiet = () => h('p', { class: 'soft' }, text('none'))

const chips = (names) => (names.length ? h('p', { class: 'chips' }, names.map((n) => h('span', { class: 'chip' }, n))) : quiet())

function table(rows, kind = '') {
  if (!rows.length) return quiet()
  return h('dl', { class: `table ${kind}` }, rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))))
}

function said(ledger) {
  if (!ledger.length) return quiet()
  const line = (l) => h('li', {}, h('code', {}, l.action), h('span', { class: 'soft' }, `${fate(l.state)} · ${clock(l.shown_at || l.at)}`))
  return h('ol', { class: 'said' }, [...ledger].reverse().map(line))
}

function show(v) {
  if (v === null || v === undefined) return '–'
  if (typeof v === 'number') return amount(v)
  if (typeof v !== 'string') return JSON.stringify(v)
  return /^\d{4}-\d\d-\d\dT/.test(v) ? clock(v) : v
}
