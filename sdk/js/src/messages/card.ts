import type { Action } from '../wire.ts'
import { button, closer, host, make, whenBody } from './dom.ts'
import type { Acts, View } from './view.ts'

/**
 * Card is a modal dialog: the browser keeps focus inside it, makes the page
 * inert and gives focus back. Escape, the close button and a click beside it
 * dismiss it.
 */
export class Card implements View {
  readonly element: HTMLDialogElement
  private host: HTMLElement
  private came = document.activeElement
  private removed = false

  constructor(
    place: string,
    private acts: Acts,
  ) {
    const { host: h, root } = host(place)
    this.host = h
    this.element = make('dialog', 'card')
    this.element.setAttribute('aria-labelledby', 'title')
    this.element.setAttribute('aria-describedby', 'text')
    this.element.addEventListener('cancel', (e) => {
      e.preventDefault()
      this.acts.dismiss()
    })
    this.element.addEventListener('click', (e) => e.target === this.element && this.beside(e) && this.acts.dismiss())
    root.append(this.element)
  }

  show({ content, lang = 'en', tone = 'info' }: Action): void {
    this.element.lang = lang
    this.element.dataset.tone = tone
    const title = make('h2', 'title', content.title || content.text)
    title.id = 'title'
    const text = make('p', 'text', content.title ? content.text : '')
    text.id = 'text'
    this.element.replaceChildren(title, text)
    if (content.button) this.element.append(button(content.button, this.acts))
    this.element.append(closer(content, lang, () => this.acts.dismiss()))
    if (!this.element.open) whenBody(() => this.open())
  }

  remove(): void {
    this.removed = true
    if (this.element.open) this.element.close()
    this.host.remove()
    if (this.came instanceof HTMLElement && this.came.isConnected) this.came.focus()
  }

  /** Opens with its words in place, so that focus goes to the first thing to do. */
  private open(): void {
    if (this.removed || this.element.open) return
    document.body.append(this.host)
    this.element.showModal()
  }

  /** Whether a click fell on the backdrop. */
  private beside({ clientX: x, clientY: y }: MouseEvent): boolean {
    const r = this.element.getBoundingClientRect()
    return x < r.left || x > r.right || y < r.top || y > r.bottom
  }
}
