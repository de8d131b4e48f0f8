import { keep, readCookie, recall, writeCookie } from './memory.ts'
import { uuid } from './wire.ts'

/**
 * Identity is who the visitor is to this site: an anonymous id in a cookie and
 * in localStorage, each mending the other, and the user id once told.
 */
export class Identity {
  anonymousId: string
  userId: string | null
  groupId: string | null
  /** Proof by the site's server that userId is who they say. */
  signature: string | null

  constructor(private domain?: string) {
    this.anonymousId = readCookie('cx_id') || recall('cx_id') || uuid()
    this.userId = recall('cx_user')
    this.groupId = recall('cx_group')
    this.signature = recall('cx_signature')
    this.remember()
  }

  /** A user without a signature loses the signature of an earlier user. */
  identify(userId: string, signature?: string): void {
    if (signature || userId !== this.userId) this.signature = signature ?? null
    this.userId = userId
    this.remember()
  }

  group(groupId: string): void {
    this.groupId = groupId
    this.remember()
  }

  /** Forgets the person: the next event is from a new, anonymous visitor. */
  reset(): void {
    this.anonymousId = uuid()
    this.userId = this.groupId = this.signature = null
    this.remember()
  }

  private remember(): void {
    writeCookie('cx_id', this.anonymousId, this.domain)
    keep('cx_id', this.anonymousId)
    keep('cx_user', this.userId)
    keep('cx_group', this.groupId)
    keep('cx_signature', this.signature)
  }
}
