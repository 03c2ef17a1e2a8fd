// A small OIDC issuer for workloads: discovery, keys, and tokens for whoever asks on this machine. For a laptop only.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'
import * as z from 'zod'
import { claimsOf } from './issuer-claims.ts'

const { ISSUER_PORT = '', ISSUER_KEYS_FILE = '', ISSUER_AUDIENCE = '', ISSUER_MINTED_FILE = '' } = process.env
const issuer = `http://127.0.0.1:${ISSUER_PORT}`
const algorithms = ['RS256', 'ES256', 'EdDSA'] as const

const tokenRequest = z.strictObject({
  principal: z.string().min(1),
  audience: z.string().min(1).default(ISSUER_AUDIENCE),
  algorithm: z.enum(algorithms).default('RS256'),
  /** Below zero the token is expired already. */
  expiresInSeconds: z.number().int().default(3600),
  claims: z.record(z.string(), z.unknown()).default({}),
})

type SigningKey = { readonly kid: string; readonly privateKey: CryptoKey; readonly publicJwk: JWK }

const readKeys = (): Record<string, JWK> => {
  try {
    return JSON.parse(readFileSync(ISSUER_KEYS_FILE, 'utf8'))
  } catch {
    return {}
  }
}

/** Kept in the run's folder, so that tokens survive a restart of this process. */
const loadKeys = async (): Promise<Map<string, SigningKey>> => {
  const stored = readKeys()
  const keys = new Map<string, SigningKey>()
  for (const algorithm of algorithms) {
    const jwk =
      stored[algorithm] ?? (await exportJWK((await generateKeyPair(algorithm, { extractable: true })).privateKey))
    stored[algorithm] = jwk
    const privateKey = await importJWK(jwk, algorithm)
    if (privateKey instanceof Uint8Array) throw new Error(`the key for ${algorithm} is not a key pair`)
    const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...open } = jwk
    const kid = `local-${algorithm.toLowerCase()}`
    keys.set(algorithm, { kid, privateKey, publicJwk: { ...open, kid, alg: algorithm, use: 'sig' } })
  }
  writeFileSync(ISSUER_KEYS_FILE, JSON.stringify(stored), { mode: 0o600 })
  return keys
}

const keys = await loadKeys()

const mint = async (body: string): Promise<string> => {
  const { principal, audience, algorithm, expiresInSeconds, claims } = tokenRequest.parse(JSON.parse(body))
  const key = keys.get(algorithm)
  if (key === undefined) throw new Error(`no key for \`${algorithm}\``)
  const now = Math.floor(Date.now() / 1000)
  const token = await new SignJWT({ ...claimsOf(principal), ...claims })
    .setProtectedHeader({ alg: algorithm, kid: key.kid, typ: 'JWT' })
    .setIssuer(issuer)
    .setSubject(principal)
    .setAudience(audience)
    .setIssuedAt(Math.min(now, now + expiresInSeconds))
    .setExpirationTime(now + expiresInSeconds)
    .setJti(crypto.randomUUID())
    .sign(key.privateKey)
  // the tests search every log for every token there ever was
  appendFileSync(ISSUER_MINTED_FILE, `${token}\n`, { mode: 0o600 })
  return token
}

const readBody = async (request: IncomingMessage): Promise<string> => {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk
    if (body.length > 65_536) throw new Error('the request is larger than 64 KB')
  }
  return body
}

const documents: Record<string, unknown> = {
  '/.well-known/openid-configuration': {
    issuer,
    jwks_uri: `${issuer}/jwks.json`,
    token_endpoint: `${issuer}/token`,
    response_types_supported: ['token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: algorithms,
  },
  '/jwks.json': { keys: [...keys.values()].map(({ publicJwk }) => publicJwk) },
}

const answer = async (request: IncomingMessage): Promise<{ status: number; body: unknown }> => {
  const path = new URL(request.url ?? '/', issuer).pathname
  if (request.method === 'POST' && path === '/token') {
    try {
      return { status: 200, body: { access_token: await mint(await readBody(request)), token_type: 'Bearer' } }
    } catch (error) {
      const description = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
      return { status: 400, body: { error: 'invalid_request', error_description: description } }
    }
  }
  const found = request.method === 'GET' ? documents[path] : undefined
  return found === undefined ? { status: 404, body: { error: 'not_found' } } : { status: 200, body: found }
}

createServer(async (request, response) => {
  const { status, body } = await answer(request)
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}).listen(Number(ISSUER_PORT), '127.0.0.1')
