import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CryptoKey } from 'jose'

/** An OpenID Connect issuer on this machine with one ES256 key. */
export type LoopbackIssuer = {
  readonly issuer: string
  readonly publicKey: CryptoKey
  /** Each call mints another token. */
  readonly mint: (claims: { readonly sub: string; readonly team: string }) => string
  readonly close: () => void
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** @param keysPath where its keys are read */
export const startLoopbackIssuer = async (keysPath = '/jwks.json'): Promise<LoopbackIssuer> => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' }
  const server = createServer((request, response) => {
    const body = request.url === keysPath ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}${keysPath}` }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    issuer,
    publicKey: await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']),
    mint: (claims) => {
      const now = Math.floor(Date.now() / 1000)
      const payload = { iss: issuer, aud: 'switchboard', env: 'prod', iat: now, exp: now + 3600, jti: randomUUID() }
      const input = `${base64url({ alg: 'ES256', typ: 'JWT', kid: jwk.kid })}.${base64url({ ...payload, ...claims })}`
      const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
      return `${input}.${signature.toString('base64url')}`
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
