/** Every sentence of the shop, in both languages. */
const words = {
  ja: {
    title: '日々 hibi',
    tagline: '毎日つかう、ちいさな道具。',
    intro: '手ざわりのよいものを、すこしだけ。5,000円以上のご注文は送料無料です。',
    cart: 'かご',
    add: 'かごに入れる',
    added: 'かごに入れました',
    back: '商品一覧へ戻る',
    empty: 'かごは空です。',
    subtotal: '小計',
    shipping: '送料',
    free: '無料',
    total: '合計',
    checkout: 'レジへ進む',
    close: '閉じる',
    fewer: 'ひとつ減らす',
    more: 'ひとつ増やす',
    remove: '取り除く',
    review: 'ご注文の確認',
    order: '注文する',
    orderNote: 'デモのお店です。お金はかからず、何も届きません。',
    thanks: 'ご注文ありがとうございました',
    thanksNote: '注文番号',
    goOn: '買い物をつづける',
    nothingSold: 'これはデモのお店です。何も売っていません。',
    status: 'このお店で起きていることを見る',
    taxIn: '税込',
    sizes: 'サイズガイド',
  },
  en: {
    title: 'hibi 日々',
    tagline: 'Small things for every day.',
    intro: 'A few things that feel good in the hand. Orders of ¥5,000 and more ship free.',
    cart: 'Cart',
    add: 'Add to cart',
    added: 'Added to cart',
    back: 'Back to all things',
    empty: 'Your cart is empty.',
    subtotal: 'Subtotal',
    shipping: 'Shipping',
    free: 'Free',
    total: 'Total',
    checkout: 'Check out',
    close: 'Close',
    fewer: 'One fewer',
    more: 'One more',
    remove: 'Remove',
    review: 'Your order',
    order: 'Place order',
    orderNote: 'This is a demo: nothing is charged and nothing is shipped.',
    thanks: 'Thank you for your order',
    thanksNote: 'Order number',
    goOn: 'Keep shopping',
    nothingSold: 'This is a demo shop. Nothing here is sold.',
    status: 'See what is happening in this shop',
    taxIn: 'tax incl.',
    sizes: 'Size guide',
  },
}

/** The size guide: a row of heads, then a row a size; centimetres. */
export const sizes = {
  ja: [['', '身丈', '身幅', '靴下'], ['S', '66', '52', '22–23'], ['M', '69', '55', '24–25'], ['L', '72', '58', '26–28']],
  en: [['cm', 'Length', 'Width', 'Socks'], ['S', '66', '52', '22–23'], ['M', '69', '55', '24–25'], ['L', '72', '58', '26–28']],
}

const kept = 'shop_language'

/** The language of the page: the one chosen, else the browser's. */
export let language = localStorage.getItem(kept) ?? (navigator.language.startsWith('ja') ? 'ja' : 'en')

export function choose(next) {
  language = next
  localStorage.setItem(kept, next)
}

/** The sentence of that name in the page's language. */
export const text = (name) => words[language][name]

/** Yen as the language writes it: 4,000円 or ¥4,000. */
export function yen(amount) {
  const digits = amount.toLocaleString('en-US')
  return language === 'ja' ? `${digits}円` : `¥${digits}`
}
