import type { Action, Content } from '../wire.ts'
import { button, closer, host, make, whenBody } from './dom.ts'
import type { Acts, View } from './view.ts'

/**
 * Bar is one line across the page. It stands inside the page's element with
 * data-cx-place="<place>" where there is one, else it floats at the top edge, or
 * at the bottom edge when its place is named so. It never takes focus.
 */
export class Bar implements View {
  readonly element: HTMLElement
  private host: HTMLElement
  private words = make('p', 'words')
  private ends = make('div', 'ends')
  private came: EventTarget | null = null
  private drawn = ''

  constructor(
    place: string,
    private acts: Acts,
  ) {
    const { host: h, root } = host(place)
    this.host = h
    this.element = make('section', 'bar')
    this.words.setAttribute('role', 'status')
    this.element.append(this.words, this.ends)
    this.element.addEventListener('focusin', (e) => (this.came ??= e.relatedTarget))
    this.element.addEventListener('keydown', (e) => e.key === 'Escape' && this.acts.dismiss())
    root.append(this.element)
    whenBody(() => this.mount(place))
  }

  show({ content, lang = 'en', tone = 'info' }: Action): void {
    this.element.lang = lang
    this.element.dataset.tone = tone
    this.element.setAttribute('aria-label', content.title || (lang === 'ja' ? 'お知らせ' : 'Notice'))
    setTimeout(() => this.say(content)) // a screen reader speaks what changes in a region it knows
    this.showEnds(content, lang)
  }

  private say({ title, text = '' }: Content): void {
    this.words.replaceChildren(...(title ? [make('strong', '', title), ' '] : []), text)
  }

  /** Leaves buttons that stay the same alone: one may have the focus. */
  private showEnds(content: Content, lang: string): void {
    const ends = JSON.stringify([lang, content.close, content.button])
    if (ends === this.drawn) return
    this.drawn = ends
    this.ends.replaceChildren(closer(content, lang, () => this.acts.dismiss()))
    if (content.button) this.ends.prepend(button(content.button, this.acts))
  }

  remove(): void {
    const focused = this.host.shadowRoot!.activeElement
    this.host.remove()
    if (focused) (this.came as HTMLElement | null)?.focus?.()
  }

  private mount(place: string): void {
    const slot = document.querySelector(`[data-cx-place="${CSS.escape(place)}"]`)
    this.element.dataset.edge = slot ? 'none' : place.includes('bottom') ? 'bottom' : 'top'
    ;(slot ?? document.body).append(this.host)
  }
}
