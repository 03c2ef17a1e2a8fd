import { renderTable } from '../table.ts'
import { asLine, nextAfterNetwork } from './failure.ts'

/** One line of `doctor`. A line that failed says what to do next. */
export type Check = {
  readonly name: string
  readonly outcome: 'ok' | 'failed' | 'skipped'
  /** What was seen; never a secret. */
  readonly found: string
  readonly next?: string
}

export const ok = (name: string, found: string): Check => ({ name, outcome: 'ok', found })
export const failed = (name: string, found: string, next: string): Check => ({ name, outcome: 'failed', found, next })
export const skipped = (name: string, found: string): Check => ({ name, outcome: 'skipped', found })

export const hasFailed = (checks: readonly Check[]): boolean => checks.some(({ outcome }) => outcome === 'failed')

/** A table, and below each line that failed what to do next. */
export const renderChecks = (checks: readonly Check[]): readonly string[] => {
  const [head = '', ...rows] = renderTable(
    ['check', 'result', 'found'],
    checks.map(({ name, outcome, found }) => [name, outcome, found]),
  )
  const count = (outcome: Check['outcome']): number => checks.filter((check) => check.outcome === outcome).length
  return [
    head,
    ...rows.flatMap((row, at) => {
      const next = checks[at]?.next
      return next === undefined ? [row] : [row, `  next: ${asLine(next)}`]
    }),
    '',
    `${count('ok')} ok, ${count('failed')} failed, ${count('skipped')} skipped`,
  ]
}

const duration = (milliseconds: number): string => {
  const seconds = Math.round(Math.abs(milliseconds) / 1000)
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}

const partOf = (token: string, index: number): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value))
      : undefined
  } catch {
    return undefined
  }
}

const said = (claim: unknown): string =>
  claim === undefined ? 'none' : `\`${(typeof claim === 'string' ? claim : JSON.stringify(claim)).slice(0, 200)}\``

const fetchAnother = 'get a new one from its issuer; a platform that renews the file does so by itself'

/**
 * What can be known of a workload's token without its issuer's keys.
 * @param now Switchboard's time when it is known: it is what decides
 * @param mode permission bits of its file
 */
export const checkToken = (text: string, mode: number | undefined, now: Date): Check => {
  const name = 'token'
  const token = text.trim()
  if (token === '') return failed(name, 'it is empty', fetchAnother)
  const claims = partOf(token, 1)
  if (token.split('.').length !== 3 || partOf(token, 0) === undefined || claims === undefined)
    return failed(name, 'it is no JWT', 'Switchboard takes the OIDC token (a signed JWT) of the workload')
  const { iss, aud, sub, exp, nbf } = claims
  const about = `issuer ${said(iss)}, audience ${said(aud)}, subject ${said(sub)}`
  if (typeof exp !== 'number') return failed(name, `it has no end; ${about}`, 'Switchboard takes tokens that end')
  const leftMs = exp * 1000 - now.getTime()
  if (leftMs <= 0) return failed(name, `it ended ${duration(leftMs)} ago; ${about}`, fetchAnother)
  if (typeof nbf === 'number' && nbf * 1000 - now.getTime() > 30_000)
    return failed(name, `it is not valid yet; ${about}`, 'see that the clock of its issuer is right')
  const open = mode === undefined || (mode & 0o077) === 0 ? '' : `; others may read the file (mode ${modeText(mode)})`
  return ok(name, `ends in ${duration(leftMs)}; ${about}${open}`)
}

const modeText = (mode: number): string => `0${(mode & 0o777).toString(8)}`

// what Switchboard forgives when it reads a token's times
const toleratedSkewMs = 30_000

/** @param skewMs what this machine's clock lacks to Switchboard's; the header counts whole seconds */
export const checkClock = (skewMs: number | undefined): Check => {
  if (skewMs === undefined) return skipped('clock', 'Switchboard did not say what time it is')
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  if (Math.abs(skewMs) <= toleratedSkewMs) return ok('clock', `within ${Math.max(1, seconds)} s of Switchboard`)
  return failed(
    'clock',
    `${seconds} s ${skewMs > 0 ? 'behind' : 'ahead of'} Switchboard`,
    'set the clock of this machine (NTP): tokens are good between two points in time',
  )
}

/** How far a way to a listener was open. */
export type Reach =
  | { readonly step: 'login' }
  | { readonly step: 'dns' | 'tcp' | 'tls' | 'sasl'; readonly code: string | undefined; readonly detail: string }

type Listener = {
  readonly security: string
  readonly isAdvertised: boolean
  /** How the client logs in. */
  readonly credential: 'jwt' | 'msk-iam' | 'scram' | 'api-key'
  /** Who the token is to be there, on Confluent Cloud. */
  readonly identityPool?: string | undefined
}

const nextAtStep = (
  step: 'dns' | 'tcp' | 'tls' | 'sasl',
  code: string | undefined,
  { isAdvertised, security, credential, identityPool }: Listener,
): string => {
  if (step === 'tls')
    return /^(EPROTO|ECONNRESET|ETIMEDOUT|ERR_SSL_)/.test(code ?? '')
      ? `it may not speak TLS: the policy says \`${security}\` of this listener; the platform team compares it with the broker`
      : `${nextAfterNetwork(code)}; the platform team sees that \`ca\` of the cluster in the policy is the brokers' authority`
  if (step === 'sasl' && (credential === 'scram' || credential === 'api-key'))
    return code === 'refused'
      ? 'ask again, for the credential may just have been replaced; if it stays so, the platform team sees with `switchboard credentials` how the user is, and repairs it if somebody changed it on the cluster'
      : `the platform team sees that this listener is \`${security}\`, as the policy says, and offers ${credential === 'scram' ? 'SCRAM-SHA-512' : 'API keys'}`
  if (step === 'sasl' && credential === 'msk-iam')
    return code === 'refused'
      ? 'MSK refuses our token: the platform team sees that the cluster takes IAM, that a policy of the cluster or of an organisation does not deny the role, and that clocks are right'
      : `the platform team sees that this listener is \`${security}\`, as the policy says, and offers IAM`
  if (step === 'sasl' && code === 'refused' && identityPool !== undefined)
    return `Confluent Cloud refuses our token: the platform team runs \`switchboard confluent setup\`, which puts the filter of the identity pool \`${identityPool}\` right and has our keys read again; then that \`id\` of the cluster in the policy is that of the cluster`
  if (step === 'sasl')
    return code === 'refused'
      ? 'the broker refuses our token: the platform team sees that it trusts the issuer and the keys of this Switchboard, its audience, and its clock'
      : `the platform team sees that this listener is \`${security}\`, as the policy says, and offers OAUTHBEARER`
  return isAdvertised
    ? `${nextAfterNetwork(code)}; brokers advertise this address: from another network ask with --network, or the platform team adds a listener`
    : nextAfterNetwork(code)
}

/** One listener of a broker, from its name to a login. */
export const checkListener = (name: string, reach: Reach, listener: Listener): Check => {
  const { security } = listener
  const steps = security === 'SASL_SSL' ? 'DNS, TCP, TLS, login' : 'DNS, TCP, login'
  if (reach.step === 'login') return ok(name, steps)
  const { step, code, detail } = reach
  const words = { dns: 'no address', tcp: 'no connection', tls: 'no TLS', sasl: 'no login' }[step]
  return failed(name, `${words}: ${detail}`, nextAtStep(step, code, listener))
}

export type Access = {
  /** Of the broker's answer; 0 is none. */
  readonly errorCode: number
  /** Bits by AclOperation, as KIP-430 has them. */
  readonly operations: number
}

const unknownTopic = 3
const topicDenied = 29
const groupDenied = 30
const readBit = 1 << 3
const writeBit = 1 << 4

const denied = (name: string, what: string): Check =>
  failed(
    name,
    `${what} is not allowed there`,
    'Switchboard grants it and the cluster does not: if it stays so for a minute, the platform team applies the policy again',
  )

/** What the cluster itself lets this user do with a topic, without touching a record. */
export const checkTopic = (name: string, actions: readonly ('read' | 'write')[], access: Access): Check => {
  const { errorCode, operations } = access
  if (errorCode === topicDenied) return denied(name, actions.join(' and '))
  if (errorCode === unknownTopic)
    return failed(name, 'there is no such topic', 'the platform team makes the topic, or mends the route')
  if (errorCode !== 0) return failed(name, `error ${errorCode} of Kafka`, 'see that the cluster is well, and try again')
  const missing = actions.filter((action) => (operations & (action === 'read' ? readBit : writeBit)) === 0)
  return missing.length > 0 ? denied(name, missing.join(' and ')) : ok(name, `may ${actions.join(' and ')}`)
}

export const checkGroup = (name: string, { errorCode, operations }: Access): Check => {
  if (errorCode === groupDenied) return denied(name, 'joining')
  if (errorCode !== 0) return failed(name, `error ${errorCode} of Kafka`, 'see that the cluster is well, and try again')
  return (operations & readBit) === 0 ? denied(name, 'joining') : ok(name, 'may be joined')
}
