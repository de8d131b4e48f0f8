/** What the shop sells. Prices are in yen, tax included. */
export const catalogue = [
  {
    id: 'linen-shirt', price: 4000, category: 'clothes',
    name: { ja: '麻のシャツ', en: 'Linen shirt' },
    line: { ja: '洗うほどやわらかく', en: 'Softer with every wash' },
    about: {
      ja: '近江の麻を、ゆったりとした型に仕立てました。さらりと乾き、夏は涼しく、冬は重ねて。',
      en: 'Linen woven in Ōmi, cut loose. It dries quickly, stays cool in summer and layers well in winter.',
    },
  },
  {
    id: 'cotton-socks', price: 1000, category: 'clothes',
    name: { ja: '綿の靴下', en: 'Cotton socks' },
    line: { ja: 'しめつけない履き心地', en: 'No squeeze, no slip' },
    about: {
      ja: 'ふっくらと編んだ綿の靴下。かかとは深く、口はゆるく、一日はいても跡がつきません。',
      en: 'Plump knitted cotton with a deep heel and a gentle cuff that leaves no mark at the end of the day.',
    },
  },
  {
    id: 'stoneware-mug', price: 2400, category: 'kitchen',
    name: { ja: '粉引のマグ', en: 'Stoneware mug' },
    line: { ja: '手になじむ白', en: 'A white that warms the hand' },
    about: {
      ja: '土の色がほのかに透ける、やわらかな白。たっぷり三百ミリリットル入ります。',
      en: 'A soft white slip with the clay just showing through. Holds a generous 300 ml.',
    },
  },
  {
    id: 'canvas-tote', price: 3200, category: 'bags',
    name: { ja: '帆布のかばん', en: 'Canvas tote' },
    line: { ja: '毎日もてる、丈夫さ', en: 'Strong enough for every day' },
    about: {
      ja: '倉敷の帆布を二重に縫い合わせました。パンも本も、雨の日の傘も入ります。',
      en: 'Kurashiki canvas, double-stitched. Room for bread, books and the umbrella you hoped not to need.',
    },
  },
  {
    id: 'tenugui', price: 1200, category: 'kitchen',
    name: { ja: '手ぬぐい 麻の葉', en: 'Tenugui, hemp leaf' },
    line: { ja: '拭く、包む、飾る', en: 'Wipe, wrap, hang' },
    about: {
      ja: '注染で染めた、裏表のない一枚。切りっぱなしの端は、使ううちに落ち着きます。',
      en: 'Dyed through so that both sides match. The raw ends settle as you use it.',
    },
  },
  {
    id: 'beeswax-candle', price: 1800, category: 'home',
    name: { ja: '蜜蝋のろうそく', en: 'Beeswax candle' },
    line: { ja: 'はちみつの灯り', en: 'Light that smells of honey' },
    about: {
      ja: '国産の蜜蝋だけでつくった、ゆっくり燃える灯り。およそ十二時間。',
      en: 'Nothing but Japanese beeswax. It burns slowly, for about twelve hours.',
    },
  },
  {
    id: 'sewn-notebook', price: 800, category: 'home',
    name: { ja: '糸かがりの帳面', en: 'Sewn notebook' },
    line: { ja: 'ぱたりと開く', en: 'Opens flat, stays flat' },
    about: {
      ja: '糸で綴じているので、どの頁も平らに開きます。にじまない紙、九十六頁。',
      en: 'Sewn with thread so that every page lies flat. Ninety-six pages that do not bleed.',
    },
  },
  {
    id: 'teapot', price: 5800, category: 'kitchen',
    name: { ja: '常滑の急須', en: 'Tokoname teapot' },
    line: { ja: '最後の一滴まで', en: 'To the very last drop' },
    about: {
      ja: '土でつくった細かな茶こしが、お茶の味をまろやかにします。二人分。',
      en: 'A fine clay strainer, made in one piece with the pot, rounds the taste of the tea. Serves two.',
    },
  },
]

/** The product of that id, undefined when there is none. */
export const product = (id) => catalogue.find((p) => p.id === id)
