// Builds dist/cx.js, the script that pages load, and fails when it has outgrown
// its budget. With --tests it builds the unit tests into .test/ instead.
import { build, transform } from 'esbuild'
import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'

const budget = 12 * 1024 // bytes, gzip -9

// packedStyles imports a .css file as its minified text.
const packedStyles = {
  name: 'packed-styles',
  setup(b) {
    b.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, 'utf8'), { loader: 'css', minify: true })
      return { contents: code.trim(), loader: 'text' }
    })
  },
}

if (process.argv.includes('--tests')) await buildTests()
else await buildScript()

async function buildScript() {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'))
  await build({
    entryPoints: ['src/main.ts'],
    outfile: 'dist/cx.js',
    bundle: true,
    minify: true,
    format: 'iife',
    target: ['chrome90', 'firefox101', 'safari16.4'],
    charset: 'utf8',
    legalComments: 'none',
    define: { VERSION: JSON.stringify(version) },
    plugins: [packedStyles],
  })
  const size = gzipSync(await readFile('dist/cx.js'), { level: 9 }).length
  console.log(`dist/cx.js: ${size} bytes gzip, budget ${budget}`)
  if (size > budget) {
    await rm('dist/cx.js')
    throw new Error(`dist/cx.js is ${size - budget} bytes over its budget of ${budget}`)
  }
  await writeFile('dist/.keep', '')
}

async function buildTests() {
  await rm('.test', { recursive: true, force: true })
  const tests = (await readdir('test')).filter((name) => name.endsWith('.test.ts'))
  await build({
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: '.test',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    define: { VERSION: '"test"' },
    plugins: [packedStyles],
  })
}
