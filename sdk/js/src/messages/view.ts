import type { Action } from '../wire.ts'

/** One message on screen. */
export interface View {
  /** What must be half visible to count as seen. */
  readonly element: Element
  show(action: Action): void
  /** Takes it off the screen and puts focus back where it came from. */
  remove(): void
}

/** What a visitor does with a message. */
export interface Acts {
  click(): void
  /** Refuses it. */
  dismiss(): void
  /** Is done with it. */
  close(): void
}
