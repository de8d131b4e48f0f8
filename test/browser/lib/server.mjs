// The running program under test: its addresses and what it says it has stored.

/** Where the program serves; set by whoever started it. */
export const server = required('BASE_URL').replace(/\/$/, '')

/** A key that may read. */
export const readKey = required('READ_KEY')

/** The browser key of the demo workspace. */
export const writeKey = 'demo'

function required(name) {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: run these tests with go test ./test/browser`)
  return value
}

/** The JSON that our own API answers; fails on anything but 200. */
export async function api(path, init = {}) {
  const reply = await fetch(`${server}/api/v1/${path}`, { ...init, headers: { Authorization: `Bearer ${readKey}`, ...init.headers } })
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`)
  return reply.json()
}

/** The rows of a query, as objects by column name. */
export async function sql(query) {
  const { columns, rows } = await api('sql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID() },
    body: JSON.stringify({ query }),
  })
  return rows.map((row) => Object.fromEntries(columns.map((c, i) => [c.name, row[i]])))
}

/** Every stored event of a visitor, in the order of the journal. */
export function eventsOf(anonymousId) {
  return sql(`select * from events where anonymous_id = '${anonymousId}' order by position`)
}

/**
 * Asks until the answer is good, for at most ten seconds, and returns it. Fails
 * with what was last seen.
 */
export async function eventually(ask, good, what, patience = 10_000) {
  const end = Date.now() + patience
  for (;;) {
    const seen = await ask()
    if (good(seen)) return seen
    if (Date.now() > end) throw new Error(`${what}: last seen ${JSON.stringify(seen).slice(0, 2000)}`)
    await new Promise((next) => setTimeout(next, 100))
  }
}

/**
 * The visitor's events once there are at least n, and again after the program
 * has stored a later event: what was sent twice would be there by then.
 */
export async function settledEvents(anonymousId, n, only = () => true) {
  const ask = async () => (await eventsOf(anonymousId)).filter(only)
  await eventually(ask, (rows) => rows.length >= n, `${n} events of ${anonymousId}`)
  await settle()
  return ask()
}

/** The message ids of stored events among ids, each as often as it is stored, sorted; settled. */
export async function settledIds(ids) {
  const list = ids.map((id) => `'${id}'`).join(', ')
  const ask = async () => (await sql(`select message_id from events where message_id in (${list})`)).map((row) => row.message_id)
  await eventually(ask, (found) => found.length >= ids.length, `the events ${list}`)
  await settle()
  return (await ask()).sort()
}

/** Waits until the program has stored everything that it had accepted. */
async function settle() {
  const marker = `settled-${crypto.randomUUID()}`
  await send({ type: 'track', event: 'Settled', anonymousId: marker })
  await eventually(() => eventsOf(marker), (rows) => rows.length === 1, 'a later event')
}

/** Sends one event from here, past any browser. */
export async function send(event) {
  const body = JSON.stringify({ writeKey, messageId: crypto.randomUUID(), timestamp: new Date().toISOString(), ...event })
  const reply = await fetch(`${server}/v1/${event.type}`, { method: 'POST', body })
  if (reply.status !== 200) throw new Error(`${event.type}: ${reply.status} ${await reply.text()}`)
  return reply.json()
}
