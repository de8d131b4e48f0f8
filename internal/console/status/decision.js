// One decision: what was said, and every candidate with what stopped it or the
// numbers that ranked it.
import { ask } from './api.js'
import { h } from './dom.js'
import { amount, gate, text } from './text.js'

/** A story item that opens into the whole trace. */
export function decision(item) {
  const winners = item.winners ?? []
  const said = winners.length
    ? [h('strong', {}, text('decided')), winners.map((w) => [h('code', {}, w.action), h('span', { class: 'soft' }, w.place)])].flat(2)
    : [h('span', {}, text('silence'))]
  const inside = h('div', { class: 'trace' })
  const details = h('details', { class: 'why', 'data-testid': 'decision', toggle: () => details.open && open(inside, item.decision) }, h('summary', { class: 'title' }, said), inside)
  return details
}

async function open(inside, id) {
  if (inside.childElementCount) return
  try {
    inside.replaceChildren(...trace(await ask(`decisions/${encodeURIComponent(id)}`)))
  } catch (error) {
    inside.replaceChildren(h('p', { class: 'problem' }, error.message))
  }
}

function trace(d) {
  const waiting = d.candidates.filter((c) => c.gate === 'trigger')
  const tried = d.candidates.filter((c) => c.gate !== 'trigger').sort((a, b) => b.won - a.won || b.score - a.score || (a.action < b.action ? -1 : 1))
  return [
    h('h3', {}, text('candidates')),
    h('ol', { class: 'candidates' }, tried.map((c) => candidate(c, d))),
    waiting.length > 0 && h('details', { class: 'waiting' },
      h('summary', {}, `${text('others')} (${waiting.length})`),
      h('ul', {}, waiting.map((c) => h('li', { 'data-testid': 'candidate', 'data-gate': 'trigger' }, h('code', {}, c.action))))),
    h('p', { class: 'soft small' }, `${d.decision}  ·  ${text('set')} ${d.definitions}  ·  ${text('engine')} ${d.engine ?? ''}`),
  ].filter(Boolean)
}

function candidate(c, d) {
  const place = d.winners.find((w) => w.action === c.action)?.place
  const ranked = c.gate === 'passed' || c.gate === 'place' || c.score > 0
  return h('li', { class: c.won ? 'won' : 'stopped', 'data-testid': 'candidate', 'data-gate': c.gate },
    h('p', { class: 'title' }, h('code', {}, c.action), c.won && h('span', { class: 'chip win' }, `✓ ${text('won')}${place ? ` · ${place}` : ''}`)),
    !c.won && h('p', { class: 'gate' }, c.gate === 'passed' ? text('lost') : gate(c.gate, c.number), h('span', { class: 'soft small' }, ` ${c.gate}${c.number ? ` · ${text('number')} ${amount(c.number)}` : ''}`)),
    ranked && formula(c))
}

/** Propensity × Context × Value × Lever = score, each under its name. */
function formula(c) {
  const factor = (name, letter, n) => h('span', { class: 'factor', title: text(name) }, h('b', {}, letter), h('output', {}, amount(n)), h('small', {}, text(name)))
  const sign = (s) => h('span', { class: 'sign', 'aria-hidden': 'true' }, s)
  return h('div', { class: 'formula', 'data-testid': 'formula' },
    factor('propensity', 'P', c.propensity), sign('×'),
    factor('context', 'C', c.context), sign('×'),
    factor('value', 'V', c.value), sign('×'),
    factor('lever', 'L', c.lever), sign('='),
    factor('score', 'S', c.score))
}
