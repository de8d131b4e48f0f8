// The status page: lets its reader in, then follows what happens.
import { ask, forgetKey, keepKey, listen, Refusal, takeKey } from './api.js'
import { h } from './dom.js'
import { facts } from './facts.js'
import { drawActivity, drawPeople, mark, nameOf } from './people.js'
import { keyOf, Story } from './story.js'
import { choose as chooseLanguage, language, text } from './text.js'

const $ = (id) => document.getElementById(id)
const page = 50 // items of a story asked for at once
const patience = 1000 // ms until a story that is behind is asked for again

let customers = []
let chosen = new URLSearchParams(location.search).get('customer')
let story
let items = []
let whole = false // items go back to the beginning
let awaited // position of the newest activity that the story must tell
let connected = true
let recent = [] // activities in the feed, oldest first

/** Runs act at most once in 250 ms, the last call included. */
function calmly(act) {
  let timer
  return () => (timer ??= setTimeout(() => ((timer = undefined), guarded(act)), 250))
}

/** Runs act; a key that is refused leads back to the door, other failures wait for the next turn. */
async function guarded(act) {
  try {
    await act()
  } catch (error) {
    if (error instanceof Refusal && (error.status === 401 || error.status === 403)) askForKey(text('denied'))
    else console.warn(error)
  }
}

async function loadPeople() {
  customers = (await ask(`customers?recent=${page}`)).customers ?? []
  drawPeople($('people'), customers, chosen, choose)
  if (!chosen && customers.length && matchMedia('(min-width: 900px)').matches) choose(customers[0].id)
}

async function loadChosen() {
  if (!chosen) return
  const id = encodeURIComponent(chosen)
  const [customer, told] = await Promise.all([ask(`customers/${id}`), ask(`customers/${id}/story?limit=${page}`)])
  if (encodeURIComponent(chosen) !== id) return
  story ??= new Story($('tale'), title(customer), () => guarded(loadOlder))
  const fresh = told.items ?? []
  const known = new Set(fresh.map(keyOf))
  if (!items.length) whole = fresh.length < page
  items = [...fresh, ...items.filter((i) => !known.has(keyOf(i)))]
  story.draw(items, whole)
  $('facts').replaceChildren(...facts(complete(customer)))
  if (later(awaited, items[0]?.position)) setTimeout(soonChosen, patience)
}

/** Whether position a ("12.0": record and index) comes after b; nothing comes before everything. */
function later(a, b) {
  const [ar, ai] = (a ?? '0.0').split('.').map(Number)
  const [br, bi] = (b ?? '0.0').split('.').map(Number)
  return ar > br || (ar === br && ai > bi)
}

async function loadOlder() {
  const before = items.at(-1)?.position
  const told = await ask(`customers/${encodeURIComponent(chosen)}/story?limit=${page}&before=${before}`)
  const older = told.items ?? []
  whole = older.length < page
  items = [...items, ...older]
  story.draw(items, whole)
}

/** A customer with every list there, however short. */
function complete(c) {
  const lists = ['identities', 'segments', 'traits', 'consent', 'statistics', 'ledger']
  return { ...c, ...Object.fromEntries(lists.map((l) => [l, c[l] ?? []])) }
}

function title(customer) {
  return h('header', { class: 'tale-head' },
    h('button', { type: 'button', class: 'plain back', click: () => choose(null) }, `← ${text('back')}`),
    h('h1', {}, mark(customer.id), nameOf(customer)),
    h('code', { class: 'soft', 'data-testid': 'customer-id' }, customer.id))
}

function choose(id) {
  chosen = id
  story = awaited = undefined
  items = []
  history.replaceState(null, '', id ? `?customer=${encodeURIComponent(id)}` : location.pathname)
  $('room').classList.toggle('reading', !!id)
  drawPeople($('people'), customers, chosen, choose)
  $('facts').replaceChildren()
  $('tale').replaceChildren(h('p', { class: 'quiet' }, text('pick')))
  if (id) guarded(loadChosen)
}

async function loadHealth() {
  const { ready, reason, stages = [] } = await ask('status')
  const lag = Math.max(0, ...stages.map((s) => s.lag_seconds ?? 0))
  const said = !connected ? text('cut') : ready ? text('running') : reason || text('notReady')
  $('health').textContent = connected && lag >= 1 ? `${said} · ${text('behind')} ${lag.toFixed(1)} s` : said
  $('health').dataset.state = connected && ready ? 'good' : 'bad'
}

const soonPeople = calmly(loadPeople)
const soonChosen = calmly(loadChosen)

function heard(activity) {
  recent = [...recent.slice(-13), activity]
  drawActivity($('feed'), activity, choose)
  soonPeople()
  if (activity.customer === chosen) {
    awaited = activity.position
    soonChosen()
  }
}

function drawFrame() {
  document.documentElement.lang = language
  for (const e of document.querySelectorAll('[data-text]')) e.textContent = text(e.dataset.text)
  for (const b of document.querySelectorAll('[data-lang]')) b.setAttribute('aria-pressed', String(b.dataset.lang === language))
}

function askForKey(problem = '') {
  forgetKey()
  $('room').hidden = true
  $('door').hidden = false
  $('problem').textContent = problem
  $('key').focus()
}

async function enter() {
  await loadPeople()
  $('door').hidden = true
  $('room').hidden = false
  choose(chosen)
  guarded(loadHealth)
  listen(heard, (is) => {
    connected = is
    guarded(loadHealth)
    if (is) soonPeople()
  })
  setInterval(() => guarded(loadHealth), 5000)
  setInterval(() => drawPeople($('people'), customers, chosen, choose), 5000)
}

$('door').addEventListener('submit', (e) => {
  e.preventDefault()
  keepKey($('key').value.trim())
  guarded(enter)
})
for (const b of document.querySelectorAll('[data-lang]')) {
  b.addEventListener('click', () => {
    chooseLanguage(b.dataset.lang)
    drawFrame()
    if ($('room').hidden) return
    choose(chosen)
    guarded(loadHealth)
    $('feed').replaceChildren()
    for (const a of recent) drawActivity($('feed'), a, choose)
  })
}

drawFrame()
if (takeKey()) guarded(enter)
else askForKey()
