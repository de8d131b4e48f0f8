// The pages of the shop, as functions from what is to what is shown.
import { catalogue } from './catalogue.js'
import { language, sizes, text, yen } from './text.js'

/** An element; attributes that are functions listen, text goes in as text. */
export function h(tag, attributes = {}, ...children) {
  const e = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') e.addEventListener(name, value)
    else if (value !== undefined && value !== false) e.setAttribute(name, value)
  }
  e.append(...children.filter((c) => c !== undefined))
  return e
}

const picture = (p, size) => h('img', { src: `pictures/${p.id}.svg`, alt: '', width: size, height: size })

/** A link that main.js follows without leaving the page. */
const link = (to, attributes, ...children) => h('a', { href: to, 'data-go': '', ...attributes }, ...children)

export function listPage(acts) {
  return [
    h('section', { class: 'hero' }, h('h1', {}, text('tagline')), h('p', {}, text('intro'))),
    h('ul', { class: 'grid' }, ...catalogue.map((p) => tile(p, acts))),
  ]
}

function tile(p, acts) {
  return h('li', { class: 'tile', 'data-testid': `product-${p.id}` },
    link(`?p=${p.id}`, { class: 'picture', tabindex: '-1', 'aria-hidden': 'true' }, picture(p, 400)),
    h('h2', {}, link(`?p=${p.id}`, { 'data-testid': `view-${p.id}` }, p.name[language])),
    h('p', { class: 'line' }, p.line[language]),
    h('div', { class: 'buy' }, h('span', { class: 'price' }, yen(p.price)), addButton(p, acts)))
}

function addButton(p, acts) {
  const button = h('button', { type: 'button', class: 'add', 'data-testid': `add-${p.id}`, click: () => acts.add(p, button) }, text('add'))
  button.setAttribute('aria-label', `${text('add')}: ${p.name[language]}`)
  return button
}

export function productPage(p, acts) {
  return [
    link('./', { class: 'back' }, `← ${text('back')}`),
    h('article', { class: 'product' },
      h('div', { class: 'picture' }, picture(p, 560)),
      h('div', {},
        h('h1', {}, p.name[language]),
        h('p', { class: 'line' }, p.line[language]),
        h('p', { class: 'price' }, yen(p.price), h('small', {}, ` ${text('taxIn')}`)),
        h('p', {}, p.about[language]),
        addButton(p, acts))),
    ...(p.category === 'clothes' ? [sizeGuide()] : []),
  ]
}

function sizeGuide() {
  const row = (cell, [name, ...sizes]) => h('tr', {}, h('th', { scope: 'row' }, name), ...sizes.map((s) => h(cell, {}, s)))
  const [head, ...rows] = sizes[language]
  return h('section', { id: 'size-guide', class: 'sizes', tabindex: '-1' },
    h('h2', {}, text('sizes')),
    h('table', {}, h('thead', {}, row('th', head)), h('tbody', {}, ...rows.map((r) => row('td', r)))))
}

export function cartPanel(sum, acts) {
  const close = h('button', { type: 'button', class: 'icon', 'aria-label': text('close'), 'data-testid': 'cart-close', click: acts.closeCart }, '×')
  const head = h('div', { class: 'drawer-head' }, h('h2', { id: 'cart-title' }, text('cart')), close)
  if (!sum.count) return [head, h('p', { class: 'empty' }, text('empty'))]
  return [
    head,
    h('ul', { class: 'lines' }, ...sum.lines.map((l) => cartLine(l, acts))),
    totals(sum),
    link('?checkout', { class: 'primary', 'data-testid': 'checkout' }, text('checkout')),
  ]
}

function cartLine({ product: p, quantity }, acts) {
  const step = (label, sign, name, act) => h('button', { type: 'button', class: 'icon', 'aria-label': `${label}: ${p.name[language]}`, 'data-testid': `${name}-${p.id}`, click: act }, sign)
  return h('li', { 'data-testid': `line-${p.id}` },
    picture(p, 64),
    h('div', { class: 'what' }, h('span', {}, p.name[language]), h('span', { class: 'price' }, yen(p.price * quantity))),
    h('div', { class: 'steps' },
      step(text('fewer'), '−', 'fewer', () => acts.take(p, 1)),
      h('span', { 'data-testid': `quantity-${p.id}` }, String(quantity)),
      step(text('more'), '+', 'more', () => acts.add(p)),
      h('button', { type: 'button', class: 'plain', 'data-testid': `remove-${p.id}`, click: () => acts.take(p, quantity) }, text('remove'))))
}

function totals(sum) {
  const row = (name, amount, testid) => h('div', {}, h('dt', {}, text(name)), h('dd', { 'data-testid': testid }, amount))
  return h('dl', { class: 'totals' },
    row('subtotal', yen(sum.subtotal), 'subtotal'),
    row('shipping', sum.shipping ? yen(sum.shipping) : text('free'), 'shipping'),
    row('total', yen(sum.total), 'total'))
}

export function checkoutPage(sum, acts) {
  if (!sum.count) return [h('section', { class: 'sheet' }, h('h1', {}, text('review')), h('p', {}, text('empty')), link('./', { class: 'primary' }, text('goOn')))]
  const lines = sum.lines.map(({ product: p, quantity }) =>
    h('li', {}, picture(p, 64), h('div', { class: 'what' }, h('span', {}, `${p.name[language]} × ${quantity}`), h('span', { class: 'price' }, yen(p.price * quantity)))))
  return [
    link('./', { class: 'back' }, `← ${text('goOn')}`),
    h('section', { class: 'sheet' },
      h('h1', {}, text('review')),
      h('ul', { class: 'lines' }, ...lines),
      totals(sum),
      h('button', { type: 'button', class: 'primary', 'data-testid': 'order', click: acts.order }, text('order')),
      h('p', { class: 'note' }, text('orderNote'))),
  ]
}

export function thanksPage(orderId) {
  return [
    h('section', { class: 'sheet thanks', 'data-testid': 'thanks' },
      h('img', { src: 'pictures/mark.svg', alt: '', width: 72, height: 72 }),
      h('h1', {}, text('thanks')),
      h('p', { class: 'note' }, `${text('thanksNote')} ${orderId}`),
      link('./', { class: 'primary' }, text('goOn'))),
  ]
}
