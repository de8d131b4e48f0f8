// The script that a page loads. It starts by itself when its tag names a key:
//   <script src="https://cx.example.com/sdk/cx.js" data-key="KEY" async></script>
// and otherwise with cx('init', {key: 'KEY'}). Calls made before it arrived wait
// in the page's stub with the place and time at which they were made.

import { Client, type Options } from './client.ts'
import { here, type Spot } from './context.ts'
import { Line } from './line.ts'
import { Stage } from './messages/stage.ts'
import { follow } from './navigation.ts'
import { Shelf } from './shelf.ts'
import { uuid, type Fields } from './wire.ts'

type Call = [at: number, url: string, referrer: string, title: string, args: ArrayLike<unknown>]
type Stub = ((...args: unknown[]) => void) & { q?: Call[]; loaded?: boolean }

declare global {
  interface Window {
    cx?: Stub
  }
}

const script = document.currentScript as HTMLScriptElement | null
const waiting: [Spot, unknown[]][] = []
let session: Session | undefined

function begin(): void {
  const calls = window.cx?.q ?? []
  const cx: Stub = (...args) => perform(here(), args)
  cx.loaded = true
  window.cx = cx
  const first = calls.map(([at, url, referrer, title, args]) => [{ at, url, referrer, title }, Array.from(args)] as const)
  const byHand = first.some(([, args]) => args[0] === 'page')
  if (script?.dataset.key) start({ ...tagOptions(script.dataset), ...(byHand && { pages: 'manual' }) })
  for (const [spot, args] of first) perform(spot, args)
}

function tagOptions(data: DOMStringMap): Options {
  return {
    key: data.key!,
    host: data.host,
    pages: data.pages === 'manual' ? 'manual' : 'auto',
    immediate: data.immediate !== 'false',
    cookieDomain: data.cookieDomain,
  }
}

/** Does one call, or keeps it until there is a key. An error in it never reaches the page. */
function perform(spot: Spot, args: unknown[]): void {
  try {
    if (args[0] === 'init') start(args[1] as Options)
    else if (session) session.call(spot, args)
    else waiting.push([spot, args])
  } catch (error) {
    console.error('cx:', error)
  }
}

function start(options: Options): void {
  if (session) return
  const byHand = waiting.some(([, args]) => args[0] === 'page')
  session = new Session({ ...options, pages: byHand ? 'manual' : options.pages })
  for (const [spot, args] of waiting.splice(0)) session.call(spot, args)
}

/** Session joins the parts on one page and follows its life. */
class Session {
  private client: Client
  private stage: Stage
  private automatic: boolean
  private arrived = () => {}
  private view: [name?: string, properties?: Fields] = []

  constructor(options: Options) {
    const host = (options.host ?? new URL(script?.src ?? location.href).origin).replace(/\/$/, '')
    const line = new Line(host, options.key)
    this.automatic = options.pages !== 'manual'
    this.stage = new Stage((event, action) => this.client.report(event, action))
    this.client = new Client(options, {
      post: (batch) => line.post(batch),
      part: (batch) => line.part(batch),
      shelf: new Shelf(options.key, uuid()),
      online: () => navigator.onLine !== false,
      random: Math.random,
      answered: (answer) => this.stage.take(answer),
      warn: (text) => console.warn('cx:', text),
    })
    this.stage.reconcile()
    this.watchLife()
    if (this.automatic) this.client.page(here())
    void this.client.outbox.resume()
  }

  call(spot: Spot, args: unknown[]): void {
    const [name, ...rest] = args as [string, ...any[]]
    if (name !== 'page') this.arrived()
    if (name === 'page') this.pageByHand(spot, rest)
    else if (name === 'reset') this.reset()
    else if (name === 'ready') rest[0]({ anonymousId: this.client.identity.anonymousId })
    else if (verbs.includes(name as Verb)) (this.client[name as Verb] as (spot: Spot, ...rest: unknown[]) => void)(spot, ...rest)
    else console.warn(`cx: there is no call named "${name}"`)
  }

  /** A site that says its pages itself is not second-guessed. */
  private pageByHand(spot: Spot, rest: unknown[]): void {
    this.automatic = false
    this.view = (typeof rest[0] === 'string' ? rest : [undefined, rest[0]]) as typeof this.view
    this.client.page(spot, ...this.view)
  }

  private reset(): void {
    this.client.identity.reset()
    this.stage.clear()
  }

  private watchLife(): void {
    const { outbox } = this.client
    this.arrived = follow((spot, again) => {
      if (again) {
        outbox.comeBack()
        this.stage.reconcile()
      }
      if (again || this.automatic) this.client.page(spot, ...this.view)
    })
    addEventListener('online', () => outbox.retry())
    addEventListener('pagehide', () => outbox.leave(true))
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && outbox.leave(false))
  }
}

const verbs = ['track', 'identify', 'group', 'alias', 'consent'] as const
type Verb = (typeof verbs)[number]

if (!window.cx?.loaded) begin()
