const words = {
  en: {
    key: 'A read or admin key opens this page. It was printed when the program started.',
    enter: 'Open',
    denied: 'This key is not known or may not read.',
    visitors: 'Visitors',
    now: 'Happening now',
    nobody: 'Nobody has come yet. Open the demo shop in another window.',
    pick: 'Choose a visitor to read their story.',
    running: 'Running',
    notReady: 'Not ready',
    cut: 'No connection, trying again',
    behind: 'behind',
    story: 'Story',
    older: 'Earlier',
    back: 'All visitors',
    here: 'here now',
    session: 'Visit',
    began: 'Start of visit',
    events: 'events',
    segments: 'Segments',
    traits: 'Traits',
    consent: 'Consent',
    statistics: 'Statistics',
    said: 'What was said',
    identities: 'Known as',
    none: 'none',
    yes: 'allowed',
    no: 'refused',
    decided: 'Decided',
    silence: 'Decided to stay silent',
    entered: 'Entered segment',
    leftSegment: 'Left segment',
    byTime: 'by time alone',
    merged: 'Found to be the same person as',
    late: 'came late',
    details: 'Properties',
    candidates: 'Everything that could have been said',
    others: 'Waiting for something else',
    won: 'shown',
    lost: 'passed every gate',
    at: 'at',
    propensity: 'likely to respond',
    context: 'context',
    value: 'value',
    lever: 'lever',
    score: 'score',
    number: 'saw',
    same: 'Decided again from what was stored: the same answer.',
    engine: 'engine',
    set: 'definitions',
    justNow: 'just now',
  },
  ja: {
    key: '閲覧用か管理用のキーで開きます。キーはプログラムの起動時に表示されています。',
    enter: '開く',
    denied: 'このキーは登録されていないか、閲覧できません。',
    visitors: '来ている人',
    now: 'いま起きていること',
    nobody: 'まだ誰も来ていません。別の窓でデモのお店を開いてみてください。',
    pick: '来ている人を選ぶと、その人の物語が読めます。',
    running: '稼働中',
    notReady: '準備中',
    cut: 'つながりません。再接続しています',
    behind: '遅れ',
    story: '物語',
    older: 'もっと前へ',
    back: '来ている人の一覧',
    here: '滞在中',
    session: '訪問',
    began: 'ここから訪問',
    events: '件の行動',
    segments: 'セグメント',
    traits: '属性',
    consent: '同意',
    statistics: '統計',
    said: '伝えたこと',
    identities: '識別',
    none: 'なし',
    yes: '許可',
    no: '拒否',
    decided: '判断',
    silence: '何も言わないと判断',
    entered: 'セグメントに入った',
    leftSegment: 'セグメントから出た',
    byTime: '時間の経過による',
    merged: '同じ人とわかった',
    late: '遅れて到着',
    details: '詳細',
    candidates: '言えたかもしれない、すべてのこと',
    others: '別のきっかけを待っているもの',
    won: '表示',
    lost: 'すべての関門を通過',
    at: '場所',
    propensity: '反応の見込み',
    context: '文脈',
    value: '価値',
    lever: 'てこ入れ',
    score: '得点',
    number: '値',
    same: '保存された入力から判断し直しても、同じ答えでした。',
    engine: 'エンジン',
    set: '定義',
    justNow: 'たった今',
  },
}

/** What stopped a candidate, in a sentence. n is the gate's number, already written. */
const gates = {
  en: {
    trigger: () => 'It listens to something else.',
    consent: () => 'The person’s consent does not cover it.',
    eligibility: () => 'This person may not have it.',
    applicability: () => 'It makes no sense at this moment.',
    suitability: () => 'It is not in the person’s interest.',
    action_cap: (n) => `It has been said often enough: ${n} times.`,
    session_cap: (n) => `Enough was said in this visit: ${n} messages.`,
    day_cap: (n) => `Enough was said today: ${n} messages.`,
    total_cap: (n) => `Enough was said altogether: ${n} messages.`,
    cooldown: (n) => `A message was closed lately. Quiet for another ${n}.`,
    already_shown: () => 'It is on the screen already.',
    floor: (n) => `Too weak a case: ${n}. Silence is better.`,
    place: (n) => `Another message won the place with a score of ${n}.`,
    backfill: () => 'A statistic it needs is not complete yet.',
    personal: () => 'It needs personal facts, and this person is not verified.',
    missing_variable: () => 'A value in its text is not known.',
    unknown: () => 'Stopped by a gate that this page does not know.',
  },
  ja: {
    trigger: () => '別のきっかけを待っています。',
    consent: () => 'お客さまの同意の範囲を超えます。',
    eligibility: () => 'この方は対象ではありません。',
    applicability: () => 'いまは意味がありません。',
    suitability: () => 'この方のためになりません。',
    action_cap: (n) => `もう十分に伝えました（${n}回）。`,
    session_cap: (n) => `この訪問ではもう十分に伝えました（${n}件）。`,
    day_cap: (n) => `今日はもう十分に伝えました（${n}件）。`,
    total_cap: (n) => `これまでに十分に伝えました（${n}件）。`,
    cooldown: (n) => `先ほど閉じられました。あと${n}は控えます。`,
    already_shown: () => 'すでに画面に出ています。',
    floor: (n) => `根拠が弱く（${n}）、黙っている方がよいと判断しました。`,
    place: (n) => `得点${n}の別のメッセージがこの場所を取りました。`,
    backfill: () => '必要な統計がまだ揃っていません。',
    personal: () => '個人の情報が必要ですが、本人と確かめられていません。',
    missing_variable: () => '文中の値がわかりません。',
    unknown: () => 'このページの知らない関門で止まりました。',
  },
}

const eventNames = {
  'Product List Viewed': '商品一覧を見た', 'Product Viewed': '商品を見た', 'Product Added': 'かごに入れた',
  'Product Removed': 'かごから出した', 'Cart Viewed': 'かごを見た', 'Checkout Started': 'レジへ進んだ',
  'Order Completed': '注文した', 'Language Selected': '言語を変えた', 'Segment Consent Preference Updated': '同意を変えた',
  'Message Shown': 'メッセージが表示された', 'Message Clicked': 'メッセージを押した', 'Message Dismissed': 'メッセージを閉じた',
  'Page Viewed': 'ページを見た', 'Screen Viewed': '画面を見た', Identified: '名乗った', Grouped: '所属を伝えた', Aliased: '名前がつながった',
}
const fates = {
  en: {
    reserved: 'Prepared',
    shown: 'Seen',
    clicked: 'Clicked',
    dismissed: 'Closed',
    released: 'Never seen',
    withdrawn: 'Taken back',
    outgoing: 'On its way',
    delivered: 'Arrived',
    unsure: 'Perhaps arrived',
    sent: 'Sent',
    failed: 'Did not arrive',
    unknown: 'Perhaps arrived',
    withheld: 'Not sent',
  },
  ja: {
    reserved: '準備',
    shown: '見られた',
    clicked: '押された',
    dismissed: '閉じられた',
    released: '見られなかった',
    withdrawn: '取り下げ',
    outgoing: '送信待ち',
    delivered: '届いた',
    unsure: '届いたか不明',
    sent: '送信',
    failed: '届かなかった',
    unknown: '届いたか不明',
    withheld: '送らなかった',
  },
}

const kept = 'kikubari_language'
export let language = localStorage.getItem(kept) ?? (navigator.language.startsWith('ja') ? 'ja' : 'en')

export function choose(next) {
  language = next
  localStorage.setItem(kept, next)
}

export const text = (name) => words[language][name]
export const fate = (name) => fates[language][name] ?? name

/** An event's name as its reader says it. */
export const eventName = (name = '') => (language === 'ja' && eventNames[name]) || name

/** Why a candidate was not shown. */
export function gate(name, number) {
  const say = gates[language][name] ?? gates[language].unknown
  return say(name === 'cooldown' ? duration(number) : amount(number))
}

export const amount = (n) => (Math.abs(n) >= 100 ? Math.round(n) : Number(n.toPrecision(3))).toLocaleString(language)

/** Seconds as the two largest units. */
export function duration(seconds) {
  const units = [[86400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']]
  const parts = []
  let left = Math.max(Math.round(seconds), 1)
  for (const [size, unit] of units) {
    const n = Math.floor(left / size)
    left -= n * size
    if (n && parts.length < 2) parts.push(n.toLocaleString(language, { style: 'unit', unit, unitDisplay: 'long' }))
  }
  return parts.join(language === 'ja' ? '' : ' ')
}

/** The time of day, with the date when it is not today. */
export function clock(at) {
  const t = new Date(at)
  const today = t.toDateString() === new Date().toDateString()
  const day = today ? {} : { month: 'short', day: 'numeric' }
  return t.toLocaleString(language, { ...day, hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false })
}

/** How long ago that was. */
export function ago(at) {
  const seconds = (Date.now() - Date.parse(at)) / 1000
  if (!(seconds >= 5)) return text('justNow')
  const [size, unit] = [[86400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']].find(([s]) => seconds >= s)
  return new Intl.RelativeTimeFormat(language, { style: 'short' }).format(-Math.floor(seconds / size), unit)
}
