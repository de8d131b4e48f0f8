import type { Fate } from '../src/line.ts'
import { Outbox, type World } from '../src/outbox.ts'
import type { Parcel } from '../src/shelf.ts'
import type { Answer, Message } from '../src/wire.ts'

export const stored = (answer: Answer = {}): Fate => ({ kind: 'stored', answer })

/** A world whose server answers with the fates given, then stores everything. */
export class Scripted implements World {
  requests: string[][] = []
  beacons: string[][] = []
  answers: Answer[] = []
  warnings: string[] = []
  kept: string[] = []
  gone = false
  connected = true
  left: Parcel[] = []
  takenOver = false
  outbox = new Outbox(this)
  private waiting: (() => void)[] = []

  constructor(
    public fates: Fate[] = [],
    private held = false,
  ) {}

  post(batch: Message[]): Promise<Fate> {
    this.requests.push(batch.map((m) => m.messageId))
    const fate = this.fates.shift() ?? stored()
    if (!this.held) return Promise.resolve(fate)
    return new Promise((done) => this.waiting.push(() => done(fate)))
  }
  release(): void {
    this.waiting.shift()!()
  }
  part(batch: Message[]): boolean {
    this.beacons.push(batch.map((m) => m.messageId))
    return true
  }
  shelf = {
    keep: (parcels: Parcel[], gone = false) => {
      this.kept = parcels.map((p) => p.m.messageId)
      this.gone = gone
      for (const p of parcels) p.kept = true
    },
    clear: () => {},
    intact: () => !this.takenOver,
    adopt: () => Promise.resolve(this.left),
  }
  online = () => this.connected
  random = () => 0
  answered = (a: Answer) => void this.answers.push(a)
  warn = (text: string) => void this.warnings.push(text)
}

export function message(id: string, more: Partial<Message> = {}): Message {
  return { type: 'track', event: 'E', messageId: id, timestamp: '', anonymousId: 'a', context: {}, ...more }
}

/** Lets promises that are ready run. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}
