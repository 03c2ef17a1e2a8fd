import { expect } from 'vitest'
import type { Directory } from '../../shared/domain/directory.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import type { Principal } from '../../shared/domain/principal.ts'
import { renderProblem } from '../../shared/http/problem.ts'
import { type AuthenticatorOptions, createAuthenticator } from '../../shared/identity/authenticator.ts'
import { createIssuerKeys, type IssuerKeys } from '../../shared/identity/issuer-keys.ts'
import { aDirectory, now } from '../fixtures/policies.ts'

/** Claims of a good token, `seconds` from the test's now. */
export const at = (seconds: number): number => now.getTime() / 1000 + seconds

export const goodClaims = (issuer: string) => ({
  iss: issuer,
  aud: 'switchboard',
  sub: 'orders-api',
  team: 'payments',
  iat: at(0),
  exp: at(3600),
})

export const aDirectoryThatTrusts = (
  issuer: string,
  rule: Readonly<Record<string, unknown>> = {},
  ...more: Policy['identities']
): Directory =>
  aDirectory({ identities: [{ issuer, audience: 'switchboard', labels: { team: '{team}' }, ...rule }, ...more] })

export type AuthenticatorUnderTest = {
  readonly authenticate: (token: string, directory: Directory) => Promise<Principal>
  readonly authorize: (authorization: string | undefined, directory: Directory) => Promise<Principal>
  /** Moves the clock to so many seconds after the test's now. */
  readonly setTime: (seconds: number) => void
  /** How often a key was taken to verify a signature. */
  readonly verifications: () => number
}

/** The real authenticator over the real key fetcher, with the clock in the test's hand. */
export const anAuthenticator = (options: Partial<AuthenticatorOptions> = {}): AuthenticatorUnderTest => {
  let time = now
  let verifications = 0
  const clock = () => time
  const keys = createIssuerKeys({ fetch, clock, development: true, onFailure: () => {} })
  const issuerKeys: IssuerKeys = async (source) => {
    const { getKey, generation } = await keys(source)
    return {
      generation,
      getKey: (...args) => {
        verifications++
        return getKey(...args)
      },
    }
  }
  const authorize = createAuthenticator({
    issuerKeys,
    clientDigests: async () => new Map(),
    ownIssuer: 'https://switchboard.acme.com',
    clock,
    ...options,
  })
  return {
    authorize,
    authenticate: (token, directory) => authorize(`Bearer ${token}`, directory),
    setTime: (seconds) => {
      time = new Date(now.getTime() + seconds * 1000)
    },
    verifications: () => verifications,
  }
}

/** What the wire says to every caller who could not prove who it is, whatever the reason. */
const theOneRefusal = {
  statusCode: 401,
  headers: expect.objectContaining({
    'www-authenticate': 'Bearer realm="switchboard", Basic realm="switchboard"',
    'cache-control': 'no-store',
  }),
  body: {
    title: 'The caller is not authenticated',
    status: 401,
    detail: 'the request carries no valid proof of identity',
    instance: 'urn:switchboard:request:request-1',
    code: 'unauthenticated',
    retryable: false,
  },
}

export const refusalOf = async (answer: Promise<unknown>): Promise<SwitchboardError> => {
  const error = await answer.then(
    (accepted) => new Error(`accepted: ${JSON.stringify(accepted)}`),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SwitchboardError)) throw error
  return error
}

export const expectUnauthenticated = async (answer: Promise<unknown>): Promise<void> => {
  const { body = '', ...problem } = renderProblem(await refusalOf(answer), 'request-1')
  const { type, ...members } = JSON.parse(body)
  expect({ ...problem, body: members }).toEqual(theOneRefusal)
  expect(type).toMatch(/#unauthenticated$/)
}
