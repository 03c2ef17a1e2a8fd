import { resolve as absolute } from 'node:path'
import type { Lease } from '@switchboard-kafka/client'
import { renderJavaProperties, renderLibrdkafka } from '../../shared/http/client-file.ts'
import { renderTable } from '../table.ts'
import type { Format, ServiceArguments } from './arguments.ts'
import { loginOf, registryUserOf, renderKcat, selectConnection, selectRole, settingsFor } from './client-files.ts'
import { writePrivateFile } from './private-file.ts'
import { readSecret } from './read-secret.ts'
import { open } from './switchboard-calls.ts'

export type ResolveDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly isTerminal: boolean
  readonly write: (text: string) => void
  readonly complain: (line: string) => void
}

const caFileOf = (out: string): string => `${absolute(out)}.ca.pem`

/** For a person: what the lease gives, without its token. */
export const renderLease = ({ id, expiresAt, connections }: Lease): readonly string[] => [
  `lease ${id}, until ${expiresAt.toISOString()}`,
  '',
  ...renderTable(
    ['cluster', 'channel', 'topic'],
    connections.flatMap(({ cluster, topics, patterns }) =>
      [...Object.entries(topics), ...Object.entries(patterns)].map(([channel, topic]) => [
        cluster.name,
        channel,
        typeof topic === 'string' ? topic : topic.join(', '),
      ]),
    ),
  ),
  '',
  ...renderTable(
    ['cluster', 'setting', 'value'],
    connections.flatMap(({ cluster, properties, producer = {}, consumer = {}, schemaRegistry }) =>
      [
        ...Object.entries(properties),
        ...Object.entries(producer),
        ...Object.entries(consumer),
        ...(schemaRegistry === undefined ? [] : [['schema registry', schemaRegistry.url] as const]),
      ].map(([name, value]) => [
        cluster.name,
        name,
        // certificates are for files
        String(value).split('\n').length > 2 ? '(several lines)' : String(value).trim(),
      ]),
    ),
  ),
]

/** Keeps the body of the answer as it came: the contract may have members that the SDK does not know. */
const keepingAnswer = (fetch: typeof globalThis.fetch) => {
  let kept = ''
  const keeping: typeof globalThis.fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (response.status === 200) kept = await response.clone().text()
    return response
  }
  return { fetch: keeping, answer: (): unknown => JSON.parse(kept) }
}

/** Prints a lease, or writes it into a file. The lease stays: whoever uses what was printed holds it. */
export const resolve = async (asked: ServiceArguments, deps: ResolveDeps): Promise<void> => {
  const { isTerminal, write, complain } = deps
  const { fetch, answer } = keepingAnswer(deps.fetch)
  const { out } = asked
  const isOverview = asked.format === undefined && out === undefined && isTerminal
  const format: Format = asked.format ?? 'json'
  const lease = await open(asked, {
    fetch,
    // a file has the password; the answer is printed as it came
    ...(isOverview || format === 'json' ? {} : { readSecret }),
    onEvent: (event) => {
      if (event.type === 'waiting') complain(`waiting: ${event.error.message}`)
    },
  })
  lease.close()
  if (isOverview) return write(`${renderLease(lease).join('\n')}\n`)
  const { text, ca } =
    format === 'json' ? { text: `${JSON.stringify(answer(), null, 2)}\n`, ca: undefined } : render(asked, lease)
  if (out === undefined) return write(text)
  // first what the other file names
  if (ca !== undefined) await writePrivateFile(caFileOf(out), ca)
  await writePrivateFile(out, text)
  complain(`wrote ${out}`)
}

const render = (
  { caller, cluster, format, instance, out, role, url }: ServiceArguments,
  lease: Lease,
): { readonly text: string; readonly ca: string | undefined } => {
  const connection = selectConnection(lease.connections, cluster)
  const settings = settingsFor(connection, selectRole(connection, role))
  const source = loginOf(connection, { url, caller, instance, tokenFile: undefined })
  if (format === 'java')
    return { text: renderJavaProperties(settings, source, registryUserOf(connection)), ca: undefined }
  const properties = renderLibrdkafka(settings, source)
  if (format !== 'kcat') return { text: `${JSON.stringify(properties, null, 2)}\n`, ca: undefined }
  const { config, ca } = renderKcat(properties, out === undefined ? undefined : caFileOf(out))
  return { text: config, ca }
}
