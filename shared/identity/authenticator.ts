import { createHash, hash, timingSafeEqual } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import type { Directory } from '../domain/directory.ts'
import { SwitchboardError } from '../domain/errors.ts'
import {
  type Claims,
  type NamedPrincipal,
  namePrincipal,
  type OidcRule,
  parseAssumedRole,
  roleMatches,
  ruleMatches,
} from '../domain/identity.ts'
import type { Principal } from '../domain/principal.ts'
import type { IssuerKeys } from './issuer-keys.ts'

/** The Authorization header of a request -> principal, by rule 1. */
export type Authenticate = (authorization: string | undefined, directory: Directory) => Promise<Principal>

/** The ARN that the API's IAM authorizer vouches for -> principal, by rule 1. */
export const authenticateRole = (arn: string | undefined, directory: Directory): Principal => {
  // without the authorizer's word there is no identity here, whatever header came along
  if (arn === undefined) throw unauthenticated('the request was not signed with SigV4')
  const role = parseAssumedRole(arn)
  if (role === undefined) throw unauthenticated('the signature is not that of an assumed role')
  for (const [index, rule] of directory.identities.entries()) {
    if (rule.kind !== 'aws' || !roleMatches(rule, role)) continue
    return requireNamed(namePrincipal(rule, index, role), directory)
  }
  throw unauthenticated('no identity rule matches the role')
}

/** A client's name is its own: no token and no role can take it. */
const requireNamed = (named: NamedPrincipal, directory: Directory): Principal => {
  if (named.outcome === 'unnamed') throw unauthenticated(named.reason)
  const { principal } = named
  if (directory.identities.some((rule) => rule.kind === 'client' && rule.client === principal.name))
    throw unauthenticated('the name is that of a client')
  return principal
}

export type AuthenticatorOptions = {
  readonly issuerKeys: IssuerKeys
  /** SHA-256 digests of the secrets that are valid for each client id. */
  readonly clientDigests: () => Promise<ReadonlyMap<string, readonly Uint8Array[]>>
  /** Our own issuer: its tokens are for Kafka and never prove an identity here. */
  readonly ownIssuer: string
  readonly clock: () => Date
}

const maximumTokenLength = 16_384
const clockToleranceSeconds = 30
/** The year 5138; a larger `exp` is a mistake or an attack on date arithmetic. */
const maximumNumericDate = 1e11
/** A key that an issuer withdraws is noticed within this time; see the cache table in `docs/architecture.md`. */
const rememberMs = 300_000
const maximumRemembered = 10_000

/** The rules, the deny list and the decision still run on every request; refusals are not remembered. */
type Verified = {
  readonly claims: Claims
  readonly algorithm: unknown
  readonly generation: string
  readonly verifiedAt: number
}

const isStillGood = ({ claims, verifiedAt }: Verified, now: Date): boolean =>
  now.getTime() - verifiedAt < rememberMs &&
  now.getTime() >= verifiedAt &&
  Number(claims.exp) + clockToleranceSeconds > now.getTime() / 1000

/** RFC 6750 3: one answer for every failure, so that no caller learns which check it passed. */
export const unauthenticated = (reason: string, cause?: unknown): SwitchboardError =>
  new SwitchboardError('unauthenticated', {
    detail: 'the request carries no valid proof of identity',
    reason,
    headers: { 'www-authenticate': 'Bearer realm="switchboard", Basic realm="switchboard"' },
    cause,
  })

const bearerToken = (authorization: string): string => {
  const token = /^Bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i.exec(authorization)?.[1]
  if (token === undefined) throw unauthenticated('the authorization header is not a bearer JWT')
  if (token.length > maximumTokenLength) throw unauthenticated(`the token is over ${maximumTokenLength} characters`)
  // the last character may hold bits that decoding drops; one token has one spelling, and so one hash in the audit trail
  const signature = token.slice(token.lastIndexOf('.') + 1)
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature)
    throw unauthenticated('the signature of the token is not base64url as it should be')
  return token
}

/** No SHA-256 of anything known; it stands where there is no digest. */
const noDigest = new Uint8Array(32)

/** A client id and its secret; everything else is taken for a token. */
export const isBasic = (authorization: string): boolean => /^basic /i.test(authorization)

/** RFC 7617 2: base64 of `id:secret` in UTF-8; the first colon parts them. */
export const basicCredentials = (authorization: string): { id: string; secret: string } => {
  const encoded = /^Basic +([A-Za-z0-9+/]{4,684}={0,2})$/i.exec(authorization)?.[1]
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 1) throw unauthenticated('the authorization header holds no client id and secret')
  return { id: text.slice(0, colon), secret: text.slice(colon + 1) }
}

const decode = (token: string): { issuer: unknown; algorithm: unknown } => {
  try {
    return { issuer: decodeJwt(token).iss, algorithm: decodeProtectedHeader(token).alg }
  } catch (error) {
    throw unauthenticated('the token cannot be decoded', error)
  }
}

const requireSaneDates = (claims: Claims): void => {
  for (const name of ['exp', 'nbf', 'iat']) {
    const value = claims[name]
    if (value === undefined) continue
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || value > maximumNumericDate)
      throw unauthenticated(`the claim \`${name}\` is not a sane date`)
  }
}

/**
 * Verifies a JWT of an issuer that the policy names; the issuer is looked up and never followed from the token, and
 * `jku`, `x5u` and `jwk` are ignored.
 * @see https://www.rfc-editor.org/rfc/rfc8725
 * @throws SwitchboardError `unauthenticated`; `unavailable` while the issuer's keys cannot be had
 */
export const createAuthenticator = ({
  issuerKeys,
  clientDigests,
  ownIssuer,
  clock,
}: AuthenticatorOptions): Authenticate => {
  const remembered = new Map<string, Verified>()
  /** A tenth at once: to find the first key of a map from which first keys were deleted takes longer each time. */
  const forgetOldest = (): void => {
    let left = maximumRemembered / 10
    for (const id of remembered.keys()) {
      remembered.delete(id)
      if (--left === 0) break
    }
  }

  /** Signature, issuer, algorithm and times. A token that was found good is not verified again for 5 minutes. */
  const verify = async (
    token: string,
    id: string,
    algorithm: unknown,
    source: OidcRule,
    rules: readonly OidcRule[],
  ): Promise<Claims> => {
    const { getKey, generation } = await issuerKeys(source)
    const now = clock()
    const known = remembered.get(id)
    if (known !== undefined && known.generation === generation && isStillGood(known, now)) return known.claims
    remembered.delete(id)
    try {
      const { payload } = await jwtVerify(token, getKey, {
        issuer: source.issuer,
        algorithms: [...new Set(rules.flatMap((rule) => rule.algorithms))],
        requiredClaims: ['exp'],
        currentDate: now,
        clockTolerance: clockToleranceSeconds,
      })
      requireSaneDates(payload)
      if (remembered.size >= maximumRemembered) forgetOldest()
      remembered.set(id, { claims: payload, algorithm, generation, verifiedAt: now.getTime() })
      return payload
    } catch (error) {
      if (error instanceof SwitchboardError) throw error
      // no JOSEError when the issuer publishes a key that is malformed or too short
      const why = error instanceof errors.JOSEError ? error.code : 'the key it names cannot be used'
      throw unauthenticated(`the token is not valid: ${why}`, error)
    }
  }

  const authenticateToken = async (authorization: string, directory: Directory): Promise<Principal> => {
    const token = bearerToken(authorization)
    const id = hash('sha256', token, 'base64url')
    const known = remembered.get(id)
    // nothing here is believed yet; a token that is known says the same as when it was decoded
    const { issuer, algorithm } =
      known === undefined ? decode(token) : { issuer: known.claims.iss, algorithm: known.algorithm }
    if (issuer === ownIssuer) throw unauthenticated('the token is one of ours, made for Kafka')
    const rules = directory.identities.filter((rule) => rule.kind === 'oidc').filter((rule) => rule.issuer === issuer)
    const first = rules[0]
    if (first === undefined) throw unauthenticated('no identity rule has the issuer of the token')

    const claims = await verify(token, id, algorithm, first, rules)

    const rule = rules.find((each) => each.algorithms.some((one) => one === algorithm) && ruleMatches(each, claims))
    if (rule === undefined) throw unauthenticated('no identity rule matches the audience and claims of the token')
    return requireNamed(namePrincipal(rule, directory.identities.indexOf(rule), claims), directory)
  }

  const authenticateClient = async (authorization: string, directory: Directory): Promise<Principal> => {
    const { id, secret } = basicCredentials(authorization)
    const digests = await clientDigests()
    const index = directory.identities.findIndex((rule) => rule.kind === 'client' && rule.client === id)
    const rule = directory.identities[index]
    const presented = createHash('sha256').update(secret).digest()
    // two comparisons for every id, known or not, so that time tells nothing about which ids there are
    const [first = noDigest, second = noDigest] = digests.get(id) ?? []
    const matches = [timingSafeEqual(presented, first), timingSafeEqual(presented, second)].includes(true)
    if (!matches || rule?.kind !== 'client') throw unauthenticated('the client id or its secret is wrong')
    return { name: rule.client, labels: rule.labels, identityRule: index }
  }

  return async (authorization, directory) => {
    if (authorization === undefined) throw unauthenticated('there is no authorization header')
    return isBasic(authorization)
      ? authenticateClient(authorization, directory)
      : authenticateToken(authorization, directory)
  }
}
