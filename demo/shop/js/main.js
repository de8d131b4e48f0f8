// The shop in one page: the URL says what is shown, the cart is kept in the browser.
import * as cart from './cart.js'
import { catalogue, product } from './catalogue.js'
import * as events from './events.js'
import { choose, language, text } from './text.js'
import * as view from './view.js'

const main = document.getElementById('main')
const drawer = document.getElementById('cart')
const opener = document.querySelector('.cart-button')

const acts = {
  add(p, button) {
    cart.add(p.id)
    events.added(p)
    drawCart()
    said(`${text('added')}: ${p.name[language]}`)
    if (button) confirm(button)
  },
  take(p, n) {
    const taken = cart.take(p.id, n)
    if (taken) events.removed(p, taken)
    drawCart()
  },
  order() {
    const sum = cart.sum()
    const id = newOrderId()
    events.orderCompleted(id, sum)
    cart.clear()
    go(`?thanks=${id}`)
  },
  closeCart() {
    openCart(false)
    opener.focus()
  },
}

function confirm(button) {
  button.textContent = `✓ ${text('added')}`
  button.classList.add('done')
  setTimeout(() => {
    button.textContent = text('add')
    button.classList.remove('done')
  }, 1400)
}

function said(sentence) {
  document.getElementById('said').textContent = sentence
}

/** Shows what the URL names and reports it when the visitor came here just now. */
function show(arrived) {
  const query = new URLSearchParams(location.search)
  const p = product(query.get('p'))
  if (p) draw(view.productPage(p, acts), p.name[language])
  else if (query.has('checkout')) draw(view.checkoutPage(cart.sum(), acts), text('review'))
  else if (query.has('thanks')) draw(view.thanksPage(query.get('thanks')), text('thanks'))
  else draw(view.listPage(acts))
  drawFrame()
  drawCart()
  if (arrived) report(p, query)
}

function report(p, query) {
  if (p) events.viewed(p)
  else if (query.has('checkout')) startCheckout()
  else if (!query.has('thanks')) events.listViewed(catalogue)
}

function startCheckout() {
  const sum = cart.sum()
  if (sum.count) events.checkoutStarted(newOrderId(), sum)
}

const newOrderId = () => `H${Date.now().toString(36).toUpperCase()}`

function draw(parts, title) {
  document.title = title ? `${title} · ${text('title')}` : text('title')
  main.replaceChildren(...parts)
}

function drawFrame() {
  document.documentElement.lang = language
  for (const e of document.querySelectorAll('[data-text]')) e.textContent = text(e.dataset.text)
  for (const b of document.querySelectorAll('[data-lang]')) b.setAttribute('aria-pressed', String(b.dataset.lang === language))
}

function drawCart() {
  const focused = document.activeElement?.dataset?.testid
  const sum = cart.sum()
  document.querySelector('.count').textContent = sum.count
  opener.classList.toggle('full', sum.count > 0)
  drawer.setAttribute('aria-labelledby', 'cart-title')
  drawer.replaceChildren(...view.cartPanel(sum, acts))
  if (focused) drawer.querySelector(`[data-testid="${focused}"]`)?.focus()
}

function openCart(open) {
  drawer.hidden = !open
  opener.setAttribute('aria-expanded', String(open))
  if (!open) return
  events.cartViewed(cart.sum())
  drawer.querySelector('button')?.focus()
}

function go(to) {
  history.pushState(null, '', to)
  openCart(false)
  show(true)
  scrollTo(0, 0)
  main.focus({ preventScroll: true })
}

function setLanguage(next) {
  if (next === language) return
  choose(next)
  show(false)
  events.languageSelected()
}

document.addEventListener('click', (e) => {
  const a = e.target.closest('a[data-go]')
  if (!a || e.metaKey || e.ctrlKey || e.shiftKey) return
  e.preventDefault()
  go(a.getAttribute('href') === './' ? location.pathname : a.getAttribute('href'))
})
document.addEventListener('keydown', (e) => e.key === 'Escape' && !drawer.hidden && acts.closeCart())
opener.addEventListener('click', () => openCart(drawer.hidden))
for (const b of document.querySelectorAll('[data-lang]')) b.addEventListener('click', () => setLanguage(b.dataset.lang))
addEventListener('popstate', () => show(true))

// The drawer begins below the header, which grows when a message is above it.
new ResizeObserver(([top]) => document.documentElement.style.setProperty('--top', `${top.contentRect.height}px`)).observe(document.querySelector('.top'))

document.documentElement.lang = language
show(true)
