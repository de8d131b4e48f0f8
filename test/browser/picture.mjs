// Takes the picture of the README from a running demo:
//   node picture.mjs http://127.0.0.1:7700 READ_KEY ../../docs/demo.png
import { launch, message, newVisitor } from './lib/browser.mjs'

const [url, key, path] = process.argv.slice(2)
if (!path) throw new Error('usage: node picture.mjs URL READ_KEY FILE')

const browser = await launch()
const shop = await shoot(shopWithBar)
const status = await shoot(openDecision)
await compose(shop, status)
await browser.close()

async function shoot(scene) {
  const { page } = await newVisitor(browser, { locale: 'ja-JP', viewport: { width: 1100, height: 780 }, deviceScaleFactor: 1.5 })
  await scene(page)
  return (await page.screenshot()).toString('base64')
}

async function shopWithBar(page) {
  await page.goto(`${url}/shop/`)
  await page.getByTestId('add-linen-shirt').click()
  await message(page, 'top-bar').getByText('送料無料').waitFor()
  await page.waitForTimeout(1800) // until the bar has been seen and the story says so
}

async function openDecision(page) {
  await page.addInitScript(() => localStorage.setItem('kikubari_language', 'en'))
  await page.goto(`${url}/status#key=${key}`)
  await page.getByTestId('person').first().click()
  const decided = page.getByTestId('item-decision').filter({ hasText: 'free-shipping-bar' }).first()
  await decided.getByTestId('decision').locator('summary').first().click()
  await decided.getByTestId('formula').first().waitFor()
}

async function compose(...pictures) {
  const page = await browser.newPage({ viewport: { width: 1600, height: 900 } })
  const images = pictures.map((p, i) => `<img class="p${i}" src="data:image/png;base64,${p}">`).join('')
  await page.setContent(`<style>
    body { margin: 0; height: 900px; background: linear-gradient(135deg, #efe6d8, #d5dee9); position: relative; overflow: hidden }
    img { position: absolute; width: 1000px; border-radius: 14px; box-shadow: 0 24px 70px rgb(30 30 40 / .28) }
    .p0 { left: 40px; top: 36px } .p1 { right: 40px; bottom: 36px }
  </style>${images}`)
  await page.waitForTimeout(300)
  await page.screenshot({ path })
}
