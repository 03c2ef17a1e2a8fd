import { readFile, stat } from 'node:fs/promises'
import {
  type Connection,
  type Intent,
  type Lease,
  type LeaseOptions,
  SwitchboardProblem,
} from '@switchboard-kafka/client'
import type { ServiceArguments } from './arguments.ts'
import { type Check, checkClock, checkToken, failed, hasFailed, ok, skipped } from './checks.ts'
import { failureOf, networkCode, nextAfterNetwork, nextAfterSecret } from './failure.ts'
import { checkRegistry } from './registry-check.ts'
import { explainDenial, open, release } from './switchboard-calls.ts'

export type DoctorDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly clock: () => Date
  readonly readSecret: NonNullable<LeaseOptions['readSecret']>
  /** The part that knows the Kafka protocol; loaded when it is needed. */
  readonly loadKafkaChecks: () => Promise<{
    readonly checkConnection: (connection: Connection, intent: Intent) => Promise<readonly Check[]>
  }>
}

type Health = { readonly check: Check; readonly skewMs: number | undefined; readonly answers: boolean }

const healthTimeoutMs = 5_000
// the header counts whole seconds, and nobody knows where in its second the answer was made
const halfSecondMs = 500

const checkHealth = async (url: string, { fetch, clock }: DoctorDeps): Promise<Health> => {
  const name = 'switchboard'
  const before = clock().getTime()
  try {
    const response = await fetch(`${url}/v1/health`, {
      redirect: 'error',
      signal: AbortSignal.timeout(healthTimeoutMs),
    })
    const after = clock().getTime()
    const date = Date.parse(response.headers.get('date') ?? '')
    const skewMs = Number.isNaN(date) ? undefined : date + halfSecondMs - (before + after) / 2
    const body: unknown = await response.json().catch(() => undefined)
    const isHealthy = typeof body === 'object' && body !== null && 'status' in body && body.status === 'ok'
    if (response.status === 200 && isHealthy)
      return { check: ok(name, `${url} answers in ${after - before} ms`), skewMs, answers: true }
    return {
      check: failed(
        name,
        `${url}/v1/health answers ${response.status}`,
        response.status >= 500
          ? 'try again; the platform team sees why in the logs of resolve'
          : 'see that --url is the base URL of Switchboard',
      ),
      skewMs,
      // a Switchboard that is not well may still answer what matters
      answers: response.status >= 500,
    }
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    const code = isLate ? 'ETIMEDOUT' : networkCode(error)
    return {
      check: failed(
        name,
        `${url} does not answer${code === undefined ? '' : ` (${code})`}`,
        // a private authority is not the brokers' matter here
        /CERT|SIGNATURE|ISSUER/.test(code ?? '')
          ? `${nextAfterNetwork(code)}; name its authority with NODE_EXTRA_CA_CERTS=<file>`
          : nextAfterNetwork(code),
      ),
      skewMs: undefined,
      answers: false,
    }
  }
}

const checkCaller = async (caller: ServiceArguments['caller'], now: Date): Promise<Check> => {
  if (caller.kind === 'client') return ok('client', `id \`${caller.id}\` and a secret`)
  if (caller.kind === 'token') return checkToken(caller.token, undefined, now)
  try {
    const [text, { mode }] = await Promise.all([readFile(caller.file, 'utf8'), stat(caller.file)])
    return checkToken(text, mode, now)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    return failed(
      'token',
      `cannot read \`${caller.file}\` (${code})`,
      code === 'ENOENT'
        ? 'see that the path is right and that the token is mounted there'
        : 'see that this user may read it',
    )
  }
}

type Asked = { readonly checks: readonly Check[]; readonly lease: Lease | undefined }

const askForLease = async (asked: ServiceArguments, { fetch }: DoctorDeps): Promise<Asked> => {
  const { intent } = asked
  if ((intent.produce?.length ?? 0) + (intent.consume?.length ?? 0) === 0)
    return { checks: [skipped('lease', 'no channel was named; use --produce or --consume')], lease: undefined }
  try {
    const lease = await open(asked, { fetch })
    const clusters = lease.connections.map(({ cluster }) => cluster.name).join(', ')
    return {
      checks: [
        ok('identity', 'Switchboard knows it'),
        ok('lease', `until ${lease.expiresAt.toISOString()}, on ${clusters}`),
      ],
      lease,
    }
  } catch (error) {
    const { found, next } = failureOf(error)
    const problem = problemIn(error)
    if (problem === undefined)
      return { checks: [skipped('identity', 'nobody answered'), failed('lease', found, next)], lease: undefined }
    if (problem.code === 'unauthenticated')
      return {
        checks: [failed('identity', found, next), skipped('lease', 'not without an identity')],
        lease: undefined,
      }
    const denials = problem.code === 'access_denied' ? await explainDenial(asked, fetch) : []
    return {
      checks: [
        // a body that is not allowed is refused after the caller is known
        problem.code === 'unexpected_answer'
          ? skipped('identity', 'nobody knows')
          : ok('identity', 'Switchboard knows it'),
        failed('lease', [found, ...denials].join('; '), next),
      ],
      lease: undefined,
    }
  }
}

const problemIn = (error: unknown): SwitchboardProblem | undefined =>
  error instanceof SwitchboardProblem ? error : error instanceof Error ? problemIn(error.cause) : undefined

/** What a cluster hands out as a reference, read as a client would; nothing is asked of brokers without it. */
const checkSecrets = async (
  connections: readonly Connection[],
  { readSecret }: DoctorDeps,
): Promise<readonly Check[]> => {
  const checks: Check[] = []
  for (const { cluster, credential } of connections) {
    if (credential.kind !== 'reference') continue
    const name = `${cluster.name} secret`
    try {
      await readSecret(credential)
      checks.push(ok(name, `${credential.arn} can be read`))
    } catch (error) {
      const why = error instanceof Error ? error.name : 'failed'
      checks.push(failed(name, `${credential.arn} cannot be read: ${why}`, nextAfterSecret))
    }
  }
  return checks
}

/** Each step that a client takes, in its order, and what to do about those that fail. */
export const diagnose = async (asked: ServiceArguments, deps: DoctorDeps): Promise<readonly Check[]> => {
  const { fetch, clock, loadKafkaChecks, readSecret } = deps
  const health = await checkHealth(asked.url, deps)
  const caller = await checkCaller(asked.caller, new Date(clock().getTime() + (health.skewMs ?? 0)))
  const before = [caller, health.check, checkClock(health.skewMs)]
  if (!health.answers) return [...before, skipped('lease', 'Switchboard does not answer')]
  const { checks, lease } = await askForLease(asked, deps)
  if (lease === undefined) return [...before, ...checks]
  let complete = lease
  try {
    const { checkConnection } = await loadKafkaChecks()
    const wanted = lease.connections.filter(
      ({ cluster }) => asked.cluster === undefined || cluster.name === asked.cluster,
    )
    const secrets = await checkSecrets(wanted, deps)
    const isComplete = !hasFailed(secrets)
    // the same lease once more, with the passwords in the place of the references
    if (secrets.length > 0 && isComplete) complete = await open(asked, { fetch, readSecret })
    const onClusters: Check[] = []
    for (const { cluster, credential } of wanted)
      onClusters.push(
        ...(credential.kind === 'reference' && !isComplete
          ? [skipped(`${cluster.name} brokers and topics`, 'not without the secret')]
          : await checkCluster(complete.connection(cluster.name), asked.intent, checkConnection)),
        ...(await checkRegistry(complete.connection(cluster.name), fetch)),
      )
    return [
      ...before,
      ...checks,
      ...secrets,
      ...onClusters,
      ...(wanted.length === 0
        ? [failed('cluster', `the lease has no cluster \`${asked.cluster}\``, 'mend --cluster')]
        : []),
    ]
  } finally {
    lease.close()
    complete.close()
    await release(asked, lease.id, fetch)
  }
}

const checkCluster = async (
  connection: Connection,
  intent: Intent,
  checkConnection: (connection: Connection, intent: Intent) => Promise<readonly Check[]>,
): Promise<readonly Check[]> => {
  try {
    return await checkConnection(connection, intent)
  } catch (error) {
    const { found, next } = failureOf(error)
    return [failed(connection.cluster.name, found, next)]
  }
}
