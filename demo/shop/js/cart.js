import { product } from './catalogue.js'

const kept = 'shop_cart'
const freeFrom = 5000 // yen
const postage = 500 // yen

/** Quantities by product id, in the order in which they were put in. It survives the page. */
const quantities = new Map(read())

function read() {
  try {
    return JSON.parse(localStorage.getItem(kept) ?? '[]').filter(([id, n]) => product(id) && n > 0)
  } catch {
    return []
  }
}

export function add(id) {
  set(id, (quantities.get(id) ?? 0) + 1)
}

/** Takes n away, at most as many as there are, and says how many it took. */
export function take(id, n) {
  const taken = Math.min(n, quantities.get(id) ?? 0)
  set(id, (quantities.get(id) ?? 0) - taken)
  return taken
}

export function clear() {
  quantities.clear()
  write()
}

/** The lines of the cart, and what they come to. */
export function sum() {
  const lines = [...quantities].map(([id, quantity]) => ({ product: product(id), quantity }))
  const subtotal = lines.reduce((yen, l) => yen + l.product.price * l.quantity, 0)
  const shipping = subtotal === 0 || subtotal >= freeFrom ? 0 : postage
  return { lines, subtotal, shipping, total: subtotal + shipping, count: lines.reduce((n, l) => n + l.quantity, 0) }
}

function set(id, quantity) {
  if (quantity > 0) quantities.set(id, quantity)
  else quantities.delete(id)
  write()
}

function write() {
  localStorage.setItem(kept, JSON.stringify([...quantities]))
}
