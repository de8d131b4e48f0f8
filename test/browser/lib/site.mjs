// Two hosts that stand beside the program: a site with test pages, and a road to
// the program on which faults can be put.

import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { fileURLToPath } from 'node:url'
import { server } from './server.mjs'

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const kinds = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8' }
const strict = "default-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

/**
 * A site on its own port. It serves the files of pages/, analytics.js as it
 * comes from npm under /segment/, the SDK and everything under /v1/ from the
 * program. A page asked for with ?csp is served under a strict policy.
 */
export async function openSite() {
  const road = await openRoad()
  const site = await listen(async (request, reply) => {
    const url = new URL(request.url, 'http://site')
    if (/^\/(v1|sdk)\//.test(url.pathname)) return road.pass(request, reply)
    const path = url.pathname.startsWith('/segment/')
      ? here(`node_modules/@segment/analytics-next/dist/umd/${url.pathname.slice(9)}`)
      : here(`pages${url.pathname === '/' ? '/index.html' : url.pathname}`)
    await serveFile(path, url, reply)
  })
  return { origin: site.origin, road, close: () => Promise.all([site.close(), road.close()]) }
}

async function serveFile(path, url, reply) {
  const body = await readFile(path).catch(() => null)
  if (!body) return reply.writeHead(404).end()
  const head = { 'Content-Type': kinds[path.split('.').pop()] ?? 'application/octet-stream' }
  if (url.searchParams.has('csp')) head['Content-Security-Policy'] = strict
  reply.writeHead(200, head).end(body)
}

/**
 * A road to the program on its own port. Faults put on it are met by the next
 * POST requests, one each: a status to answer with, or 'cut' to break the
 * connection before the program hears anything, or 'deaf' to break it after the
 * program has answered. While the road is down every POST is cut.
 */
async function openRoad() {
  const faults = []
  const seen = []
  const pass = async (request, reply) => {
    const body = await readAll(request)
    seen.push({ method: request.method, path: request.url, headers: request.headers, body: body.toString() })
    const fault = request.method === 'POST' ? (road.down ? 'cut' : faults.shift()) : undefined
    if (fault === 'cut') return request.socket.destroy()
    if (fault && fault !== 'deaf') return refuse(fault, request, reply)
    const answer = await forward(request, body)
    if (fault === 'deaf') return request.socket.destroy()
    reply.writeHead(answer.status, answer.headers).end(answer.body)
  }
  const road = { down: false, pass, faults, seen, posts: () => seen.filter((r) => r.method === 'POST') }
  return Object.assign(road, await listen(pass))
}

function refuse({ status, retryAfter }, request, reply) {
  const head = { 'Access-Control-Allow-Origin': request.headers.origin ?? '*', 'Access-Control-Expose-Headers': 'Retry-After' }
  if (retryAfter !== undefined) head['Retry-After'] = String(retryAfter)
  reply.writeHead(status, head).end('{}')
}

/** Sends the request on as it is, its Host too, so that the program sees the road's address. */
function forward(request, body) {
  const to = new URL(server)
  return new Promise((done, failed) => {
    const onward = http.request(
      { host: to.hostname, port: to.port, method: request.method, path: request.url, headers: request.headers, agent: false },
      async (answer) => done({ status: answer.statusCode, headers: answer.headers, body: await readAll(answer) }),
    )
    onward.on('error', failed).end(body)
  })
}

async function readAll(stream) {
  const parts = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

async function listen(handle) {
  const s = http.createServer((request, reply) => handle(request, reply).catch(() => reply.destroy()))
  await new Promise((ready) => s.listen(0, '127.0.0.1', ready))
  const close = () => {
    s.closeAllConnections()
    return new Promise((closed) => s.close(closed))
  }
  return { origin: `http://127.0.0.1:${s.address().port}`, close }
}
