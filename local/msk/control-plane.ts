import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import { createScramAdmin, type ScramAdmin } from '../../shared/clusters/kafka/scram-admin.ts'
import { clusterArn, type SimulatedCluster } from './clusters.ts'
import { MskError } from './errors.ts'
import { createFaults, type FaultKind, type MskFaults, type StrikingFaults } from './faults.ts'
import { type GeneratedOptions, generateClusters } from './generated-clusters.ts'
import { createGeneratedReader, createInventoryReader } from './inventory.ts'
import { type Backed, createOperations, type Operations } from './operations.ts'
import { createPager, type TokenFault } from './paging.ts'
import { matchRoute, type OperationName } from './routes.ts'
import { createScramSecrets, generatedScramSecrets, type Propagation } from './scram-secrets.ts'
import { createSecretReader } from './secret-reader.ts'
import { checkSignatureShape } from './signature.ts'
import { toWire } from './wire.ts'

export type MskControlPlaneOptions = {
  /** The emulator's Secrets Manager, and who the control plane is there: not the caller. */
  readonly aws: {
    readonly endpointUrl: string
    readonly region: string
    readonly accountId: string
    readonly accessKeyId: string
    readonly secretAccessKey: string
  }
  readonly clusters: readonly SimulatedCluster[]
  /** So many more, with nothing behind them. @default - none */
  readonly generated?: Pick<GeneratedOptions, 'count' | 'topicsPerCluster'>
  /**
   * From a call, or a new version of a secret, to the brokers: 100 ms to 10 minutes, as it is up to 10 on MSK. A PUT to
   * `/_simulated/propagation` changes it.
   */
  readonly propagation: Propagation
  /** @default - any free port */
  readonly port?: number
  /** SCRAM users of one cluster. @default 1000 */
  readonly maxUsers?: number
  /** Results of a page when the call does not say. @default 100 */
  readonly pageSize?: number
  /** How old topics may be. @default 60_000, as on MSK */
  readonly maxInventoryAgeMs?: number
  /** Of faults that last for a while. @default Date.now */
  readonly now?: () => number
  /** @default - standard error */
  readonly report?: (line: string) => void
}

export type MskControlPlane = {
  /** For `AWS_ENDPOINT_URL_KAFKA`. */
  readonly url: string
  readonly faults: MskFaults
  /** ARNs by the names of the clusters. */
  readonly clusterArns: Readonly<Record<string, string>>
  readonly stop: () => Promise<void>
}

const shortestMs = 100
const longestMs = 600_000
const largestBody = 1_048_576
const faultsPath = '/_simulated/faults'
const propagationPath = '/_simulated/propagation'
const bootstrapPath = '/_simulated/bootstrap-brokers'

const checkPropagation = ({ minMs, maxMs }: Propagation): void => {
  if (minMs >= shortestMs && minMs <= maxMs && maxMs <= longestMs) return
  throw new RangeError(`propagation takes from ${shortestMs} to ${longestMs} ms, got \`${minMs}\` to \`${maxMs}\``)
}

const readBody = async (request: IncomingMessage): Promise<string> => {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk
    if (body.length > largestBody) throw new MskError('BadRequestException', 'The request is too large.')
  }
  return body
}

type Answer = {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** What becomes of it on the way. */
  readonly fault?: 'malformed' | 'half-open' | undefined
}

const refusals: readonly (readonly [FaultKind, () => MskError])[] = [
  ['throttled', () => new MskError('TooManyRequestsException', 'Too Many Requests')],
  [
    'internal-error',
    () => new MskError('InternalServerErrorException', 'There was an unexpected internal server error.'),
  ],
  ['unavailable', () => new MskError('ServiceUnavailableException', 'The service cannot complete the request.')],
  ['forbidden', () => new MskError('ForbiddenException', 'Access forbidden. Check your credentials and retry.')],
]

const tokenFaults = ['refused', 'repeats', 'loops', 'endless'] as const satisfies readonly TokenFault[]

const toAnswer = (error: unknown, report: (line: string) => void): Answer => {
  if (!(error instanceof MskError)) {
    report(error instanceof Error ? error.message : 'failed')
    return toAnswer(
      new MskError('InternalServerErrorException', 'There was an unexpected internal server error.'),
      report,
    )
  }
  const { status, type, message, invalidParameter } = error
  return { status, headers: { 'x-amzn-errortype': type }, body: { invalidParameter, message } }
}

/** What other processes may change. */
type Held = { propagation: Propagation; readonly moved: Map<string, Readonly<Record<string, string>>> }

/** Reads and sets how long changes take from now on, from another process. */
const answerPropagation = (method: string, body: string, held: Held): Answer => {
  if (method === 'GET') return { status: 200, body: held.propagation }
  if (method !== 'PUT') return { status: 405 }
  try {
    const wanted = z.strictObject({ minMs: z.number(), maxMs: z.number() }).parse(JSON.parse(body))
    checkPropagation(wanted)
    held.propagation = wanted
    return { status: 204 }
  } catch (error) {
    return { status: 400, body: { message: error instanceof z.ZodError ? z.prettifyError(error) : String(error) } }
  }
}

/** Other addresses for a cluster from now on, from another process; `null` in place of them for those it started with. */
const answerBootstrap = (method: string, body: string, { moved }: Held): Answer => {
  if (method !== 'PUT') return { status: 405 }
  try {
    const { clusterArn: arn, bootstrapBrokers } = movedSchema.parse(JSON.parse(body))
    if (bootstrapBrokers === null) moved.delete(arn)
    else moved.set(arn, bootstrapBrokers)
    return { status: 204 }
  } catch (error) {
    return { status: 400, body: { message: error instanceof z.ZodError ? z.prettifyError(error) : String(error) } }
  }
}

const movedSchema = z.strictObject({
  clusterArn: z.string().min(1),
  bootstrapBrokers: z.record(z.string().startsWith('BootstrapBrokerString'), z.string()).nullable(),
})

/** Switches faults from another process: GET, PUT a list of them, DELETE. It is no part of MSK and needs no signature. */
const answerFaults = (method: string, body: string, faults: MskFaults): Answer => {
  if (method === 'GET') return { status: 200, body: faults.active() }
  if (method !== 'PUT' && method !== 'DELETE') return { status: 405 }
  const before = faults.active()
  faults.clear()
  if (method === 'DELETE') return { status: 204 }
  try {
    for (const fault of z.array(z.unknown()).parse(JSON.parse(body))) faults.inject(fault as never)
    return { status: 204 }
  } catch (error) {
    faults.clear()
    for (const fault of before) faults.inject(fault)
    return { status: 400, body: { message: error instanceof z.ZodError ? z.prettifyError(error) : String(error) } }
  }
}

const answerCall = async (
  { method = '', url = '', headers }: IncomingMessage,
  body: string,
  {
    operations,
    faults,
    held,
    region,
  }: {
    readonly operations: Operations
    readonly faults: StrikingFaults
    readonly held: Held
    readonly region: string
  },
): Promise<Answer> => {
  const [path = '', search = ''] = url.split('?', 2)
  if (path === faultsPath) return answerFaults(method, body, faults)
  if (path === propagationPath) return answerPropagation(method, body, held)
  if (path === bootstrapPath) return answerBootstrap(method, body, held)
  const matched = matchRoute(method, path)
  if (matched === undefined) {
    throw new MskError('UnknownOperationException', `The simulated MSK control plane has no ${method} ${path}.`)
  }
  const { operation, labels } = matched
  checkSignatureShape(headers, region)
  const slow = faults.strike('slow', operation)
  if (slow !== undefined) await delay(slow.delayMs)
  for (const [kind, error] of refusals) if (faults.strike(kind, operation) !== undefined) throw error()
  const fault = onTheWay.find((kind) => faults.strike(kind, operation) !== undefined)
  const answer = await operations[operation]({ labels, query: new URLSearchParams(search), body })
  return { status: 200, body: toWire(answer), fault }
}

const onTheWay = ['malformed', 'half-open'] as const

const send = (response: ServerResponse, { status, body, headers, fault }: Answer): void => {
  // it lasts until the other side gives up, or everything stops
  if (fault === 'half-open') return
  response.writeHead(status, {
    'content-type': 'application/json',
    'x-amzn-requestid': randomUUID(),
    ...headers,
  })
  const text = body === undefined ? undefined : JSON.stringify(body)
  response.end(fault === 'malformed' ? text?.slice(0, text.length / 2) : text)
}

/**
 * The part of the MSK control plane that Switchboard needs, simulated in front of real Kafka clusters and for the SDK's
 * own client. Associations live as long as this does. Signatures are looked at and not verified; who may call what is
 * not decided here.
 *
 * @throws RangeError for a propagation that MSK does not have
 */
export const startMskControlPlane = async ({
  aws,
  clusters: given,
  generated,
  propagation,
  port = 0,
  maxUsers = 1_000,
  pageSize = 100,
  maxInventoryAgeMs = 60_000,
  now = Date.now,
  report = (line) => process.stderr.write(`simulated MSK: ${line}\n`),
}: MskControlPlaneOptions): Promise<MskControlPlane> => {
  checkPropagation(propagation)
  const held: Held = { propagation, moved: new Map() }
  const { region, accountId, accessKeyId, secretAccessKey } = aws
  const place = { region, accountId }
  const clusters = [...given, ...(generated === undefined ? [] : generateClusters({ ...generated, place }))]
  const client = new SecretsManagerClient({
    region,
    endpoint: aws.endpointUrl,
    credentials: { accessKeyId, secretAccessKey },
  })
  const secrets = createSecretReader(client)
  const faults = createFaults(now)
  const scramAdmins: ScramAdmin[] = []
  const backed = clusters.flatMap((cluster): Backed[] => {
    if (cluster.type === 'serverless') return []
    if (cluster.type === 'generated')
      return [{ cluster, inventory: createGeneratedReader(cluster), scramSecrets: generatedScramSecrets(cluster) }]
    const kafka = createScramAdmin(cluster.kafka.cluster, cluster.kafka.admin)
    scramAdmins.push(kafka)
    const scramSecrets = createScramSecrets({
      region,
      accountId,
      propagation: () => held.propagation,
      maxUsers,
      secrets,
      kafka,
      reservedUsers: [cluster.kafka.admin.username],
      faults,
      report,
    })
    return [{ cluster, inventory: createInventoryReader(cluster, maxInventoryAgeMs), scramSecrets }]
  })
  const tokenFault = (scope: string): TokenFault | undefined => {
    const operation = scope.split(' ', 1)[0] as OperationName
    return tokenFaults.find((kind) => faults.strike(`next-token-${kind}`, operation) !== undefined)
  }
  const page = createPager(pageSize, tokenFault)
  const operations = createOperations(clusters, {
    place,
    backed,
    page,
    isGone: faults.isGone,
    movedTo: (arn) => held.moved.get(arn),
  })

  const server = createServer(async (request, response) => {
    try {
      const body = await readBody(request)
      send(response, await answerCall(request, body, { operations, faults, held, region }))
    } catch (error) {
      send(response, toAnswer(error, report))
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    clusterArns: Object.fromEntries(clusters.map((cluster) => [cluster.name, clusterArn(cluster, place)])),
    stop: async () => {
      await Promise.all(backed.map(({ scramSecrets }) => scramSecrets.stop()))
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await Promise.allSettled([
        ...backed.map(({ inventory }) => inventory.close()),
        ...scramAdmins.map((admin) => admin.close()),
      ])
      client.destroy()
    },
  }
}
