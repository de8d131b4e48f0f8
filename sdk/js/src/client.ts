import { contextOf, here, pageOf, type Spot } from './context.ts'
import { Identity } from './identity.ts'
import { keep, recallJSON } from './memory.ts'
import { Outbox, type World } from './outbox.ts'
import { uuid, type Action, type Fields, type Message } from './wire.ts'

/** What a site may choose. */
export interface Options {
  /** The workspace's browser key. */
  key: string
  /** Where the server is, like https://cx.example.com; by default where the script came from. */
  host?: string
  /** 'auto' (default) sends a page view for every page, single-page navigation included; 'manual' leaves it to the site. */
  pages?: 'auto' | 'manual'
  /** Send track and page calls at once (default), because they may be answered with a message, or let them wait for company. */
  immediate?: boolean
  /** The domain of the id cookie, to share it between subdomains. */
  cookieDomain?: string
}

type Body = Pick<Message, 'type'> & Partial<Message>

/** Client turns a site's calls into events and puts them into the outbox. */
export class Client {
  readonly identity: Identity
  readonly outbox: Outbox
  private consented = recallJSON<Record<string, boolean>>('cx_consent')
  private hurried: boolean

  constructor(options: Options, world: World) {
    this.identity = new Identity(options.cookieDomain)
    this.outbox = new Outbox(world)
    this.hurried = options.immediate !== false
  }

  track(spot: Spot, event: string, properties: Fields = {}): void {
    this.send(spot, { type: 'track', event, properties }, this.hurried)
  }

  page(spot: Spot, name?: string, properties: Fields = {}): void {
    this.send(spot, { type: 'page', name, properties: { ...pageOf(spot), ...properties } }, this.hurried)
  }

  /** A signature by the site's server makes the user id count as verified. */
  identify(spot: Spot, userId: string, traits: Fields = {}, options: { signature?: string } = {}): void {
    this.identity.identify(String(userId), options.signature)
    this.send(spot, { type: 'identify', traits }, false)
  }

  group(spot: Spot, groupId: string, traits: Fields = {}): void {
    this.identity.group(String(groupId))
    this.send(spot, { type: 'group', groupId: String(groupId), traits }, false)
  }

  alias(spot: Spot, userId: string, previousId?: string): void {
    const previous = previousId ?? this.identity.userId ?? this.identity.anonymousId
    this.identity.identify(String(userId))
    this.send(spot, { type: 'alias', previousId: previous }, false)
  }

  /** Keeps the visitor's choices by category, and says them on this and every later event. */
  consent(spot: Spot, choices: Record<string, boolean>): void {
    this.consented = { ...this.consented, ...choices }
    keep('cx_consent', JSON.stringify(this.consented))
    this.send(spot, { type: 'track', event: 'Segment Consent Preference Updated', properties: {} }, true)
  }

  /** Reports what a visitor did with a message; a click hurries, because the page may be leaving. */
  report(event: string, { decision, action, place }: Action): void {
    const properties = { decision_id: decision, action, place }
    this.send(here(), { type: 'track', event, properties }, true)
  }

  private send(spot: Spot, body: Body, hurried: boolean): void {
    const { anonymousId, userId, groupId, signature } = this.identity
    const context = contextOf(spot)
    if (this.consented) context.consent = { categoryPreferences: this.consented }
    if (userId && signature) context.user_signature = signature
    if (groupId && body.type !== 'group') context.groupId = groupId
    const message = { messageId: uuid(), timestamp: new Date(spot.at).toISOString(), anonymousId, ...body, context }
    this.outbox.add(userId ? { ...message, userId } : message, hurried)
  }
}
