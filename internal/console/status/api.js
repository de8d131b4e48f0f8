// Our own API, asked with the key that the reader gave.

const kept = 'kikubari_key'

/** Takes a key out of the address (#key=…), where it must not stay. */
export function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get('key')
  if (given) {
    sessionStorage.setItem(kept, given)
    history.replaceState(null, '', location.pathname + location.search)
  }
  return sessionStorage.getItem(kept)
}

export const keepKey = (key) => sessionStorage.setItem(kept, key)
export const forgetKey = () => sessionStorage.removeItem(kept)

/** What the API refused, in its own words. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

const headers = () => ({ Authorization: `Bearer ${sessionStorage.getItem(kept) ?? ''}` })

/** The JSON at path under /api/v1. Throws a Refusal. */
export async function ask(path) {
  const reply = await fetch(`/api/v1/${path}`, { headers: headers() })
  const body = await reply.json().catch(() => ({}))
  if (!reply.ok) throw new Refusal(reply.status, body.error?.message ?? `${reply.status}`)
  return body
}

/**
 * Calls heard for every activity, for as long as the page lives; it comes back
 * after a break with growing waits and says by connected whether it is there.
 * A streamed fetch, because an EventSource cannot carry a key.
 */
export async function listen(heard, connected) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 15_000)) {
    try {
      const reply = await fetch('/api/v1/live', { headers: { ...headers(), Accept: 'text/event-stream' } })
      if (reply.status === 401 || reply.status === 403) throw new Refusal(reply.status, '')
      if (reply.ok) {
        wait = 500
        connected(true)
        await read(reply.body, heard)
      }
    } catch (error) {
      if (error instanceof Refusal) return connected(false)
    }
    connected(false)
    await new Promise((again) => setTimeout(again, wait))
  }
}

async function read(stream, heard) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const events = (rest + value).replaceAll('\r\n', '\n').split('\n\n')
    rest = events.pop()
    for (const event of events) dispatch(event, heard)
  }
}

function dispatch(event, heard) {
  const field = (name) => event.split('\n').filter((l) => l.startsWith(name + ':')).map((l) => l.slice(name.length + 1).trimStart()).join('\n')
  if (field('event') === 'activity') heard(JSON.parse(field('data')))
}
