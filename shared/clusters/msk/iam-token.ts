import { createHmac, hash } from 'node:crypto'
import { type MskPlace, maximumMskTokenSeconds } from '../../domain/msk-iam.ts'

/** What a role was assumed for; nothing of it but the session token ever leaves the function. */
export type IamSession = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  /** By the clock of AWS. */
  readonly expiresAt: Date
  /** How far that clock is ahead of ours. */
  readonly aheadMs: number
}

type TokenPlace = Pick<MskPlace, 'partition' | 'region'>

const service = 'kafka-cluster'
const domains: Readonly<Record<string, string>> = { 'aws-cn': 'amazonaws.com.cn' }

/** @see https://docs.aws.amazon.com/general/latest/gr/msk.html */
const hostIn = ({ partition, region }: TokenPlace): string => `kafka.${region}.${domains[partition] ?? 'amazonaws.com'}`

/** RFC 3986, where `encodeURIComponent` leaves more than the unreserved characters as they are. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (unit) => `%${unit.charCodeAt(0).toString(16).toUpperCase()}`)

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

type SigningKey = { readonly scope: string; readonly key: Buffer; readonly sessionToken: string }

/** A session signs for a place with one key a day. */
const keys = new WeakMap<IamSession, SigningKey>()

const keyFor = (session: IamSession, day: string, region: string): SigningKey => {
  const scope = `${day}/${region}/${service}/aws4_request`
  const known = keys.get(session)
  if (known?.scope === scope) return known
  const key = [region, service, 'aws4_request'].reduce(hmac, hmac(`AWS4${session.secretAccessKey}`, day))
  const made = { scope, key, sessionToken: encoded(session.sessionToken) }
  keys.set(session, made)
  return made
}

const ofNothing = hash('sha256', '')

/**
 * What a client logs in to MSK with, as OAUTHBEARER token: a URL of `kafka-cluster:Connect`, signed, in base64url. It
 * counts in whole seconds, rounded down, so that it never outlives `until`. Its times are those of AWS's clock.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 * @see https://github.com/aws/aws-msk-iam-sasl-signer-js, whose lifetimes have fractions, and which knows one partition
 * @throws RangeError when the session ends before the token, or the token would have no time or too much
 */
export const signMskToken = (session: IamSession, place: TokenPlace, now: Date, until: Date): string => {
  const start = Math.floor((now.getTime() + session.aheadMs) / 1_000)
  const end = Math.floor((until.getTime() + session.aheadMs) / 1_000)
  const seconds = end - start
  if (!(seconds >= 1 && seconds <= maximumMskTokenSeconds))
    throw new RangeError(`a token of MSK lives 1 to ${maximumMskTokenSeconds} seconds, got ${seconds}`)
  if (session.expiresAt.getTime() < end * 1_000)
    throw new RangeError(`the session ends at ${session.expiresAt.toISOString()}, ${seconds} s are asked for`)
  const time = new Date(start * 1_000).toISOString().replace(/[-:]|\.\d{3}/g, '')
  const { scope, key, sessionToken } = keyFor(session, time.slice(0, 8), place.region)
  const host = hostIn(place)
  const query =
    `Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=` +
    `${encoded(session.accessKeyId)}%2F${scope.replaceAll('/', '%2F')}&X-Amz-Date=${time}&X-Amz-Expires=${seconds}` +
    `&X-Amz-Security-Token=${sessionToken}&X-Amz-SignedHeaders=host`
  const request = `GET\n/\n${query}\nhost:${host}\n\nhost\n${ofNothing}`
  const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash('sha256', request)}`
  const signature = createHmac('sha256', key).update(toSign).digest('hex')
  // who made it is told beside what is signed, as every signer of AWS does
  const url = `https://${host}/?${query}&X-Amz-Signature=${signature}&User-Agent=switchboard`
  return Buffer.from(url).toString('base64url')
}
