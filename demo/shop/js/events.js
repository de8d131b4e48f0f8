// What the shop tells Kikubari, in the words of Segment's e-commerce events.
import { language } from './text.js'

const track = (event, properties) => window.cx('track', event, properties)

export function listViewed(products) {
  track('Product List Viewed', { list_id: 'all', products: products.map((p) => item(p)) })
}

export function viewed(p) {
  track('Product Viewed', { ...item(p), currency: 'JPY' })
}

export function added(p) {
  track('Product Added', { ...item(p, 1), currency: 'JPY' })
}

export function removed(p, quantity) {
  track('Product Removed', { ...item(p, quantity), currency: 'JPY' })
}

export function cartViewed(sum) {
  track('Cart Viewed', { ...order(sum) })
}

export function checkoutStarted(orderId, sum) {
  track('Checkout Started', { order_id: orderId, ...order(sum) })
}

export function orderCompleted(orderId, sum) {
  track('Order Completed', { order_id: orderId, ...order(sum), revenue: sum.subtotal })
}

export function languageSelected() {
  track('Language Selected', { language })
}

function order({ lines, subtotal, shipping, total }) {
  return { subtotal, shipping, total, currency: 'JPY', products: lines.map((l) => item(l.product, l.quantity)) }
}

function item(p, quantity) {
  const fields = { product_id: p.id, name: p.name[language], category: p.category, price: p.price }
  return quantity ? { ...fields, quantity } : fields
}
