import { Producer, stringSerializers } from '@platformatic/kafka'
import { openLease } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { LocalError } from '../../errors.ts'
import { mintWorkloadToken } from '../../issuer.ts'
import type { StackState } from '../../state.ts'
import { atLeast, type Measure, none, within } from '../outcome.ts'
import { patienceMs, until } from '../until.ts'
import { principals, reports } from './policy.ts'
import { openSecondAddress } from './second-address.ts'
import type { Stage } from './stage.ts'

const part = 'listener'

/** @param address undefined: where it was at the start */
const moveListener = async ({ msk }: StackState, address: string | undefined): Promise<void> => {
  const bootstrapBrokers = address === undefined ? null : { BootstrapBrokerStringSaslScram: address }
  const body = JSON.stringify({ clusterArn: msk.clusterArn, bootstrapBrokers })
  const response = await fetch(`${msk.url}/_simulated/bootstrap-brokers`, { method: 'PUT', body })
  if (!response.ok) throw new LocalError(`the simulated MSK does not move its cluster: ${response.status}`)
}

/** MSK gives its cluster another address; a client that runs is there at its next refresh. */
export const moveCluster = async (stage: Stage): Promise<readonly Measure[]> => {
  const { state, operator, commands, report, signal } = stage
  const proxy = await openSecondAddress(state.clusters.analytics.outside)
  // the simulated MSK's users need their time
  const lease = await openLease({
    url: state.switchboard.url,
    token: () => mintWorkloadToken(state, { principal: principals.reporter }),
    intent: { produce: [reports] },
    startTimeoutMs: patienceMs,
    signal,
  })
  const brokers = (): readonly string[] =>
    (platformatic(lease.connection()).client.bootstrapBrokers ?? []).map((broker) =>
      typeof broker === 'string' ? broker : `${broker.host}:${broker.port}`,
    )
  const write = async (): Promise<number> => {
    const kafka = platformatic(lease.connection())
    const producer = new Producer({ ...kafka.producer, serializers: stringSerializers })
    try {
      const { offsets = [] } = await producer.send({
        messages: [{ topic: kafka.topic(reports), key: 'where', value: brokers().join() }],
      })
      return offsets.length
    } finally {
      await producer.close()
    }
  }
  try {
    const first = brokers()
    const writtenFirst = await write()
    const before = await operator.directories.readPointer()
    report(`${principals.reporter} writes to ${first.join()}`)
    await moveListener(state, proxy.address)
    const startedAt = Date.now()
    await commands.crawl('--source', 'aws')
    await until('the client has the new address', () => brokers().includes(proxy.address), {
      signal,
    })
    const reachedMs = Date.now() - startedAt
    const after = await operator.directories.readPointer()
    const writtenThen = await write()
    report(`MSK has moved it; after the crawl, and no apply, it writes to ${brokers().join()}`)
    return [
      none(
        part,
        'clients that were elsewhere at first',
        first.join() === state.clusters.analytics.outside ? [] : first,
      ),
      atLeast(part, 'writes there', writtenFirst, 1),
      none(part, 'applies', before.policy === after.policy ? 0 : 1),
      atLeast(part, 'facts published', before.facts === after.facts ? 0 : 1, 1),
      within(part, 'from the start of the crawl to the client', reachedMs, 30_000),
      atLeast(part, 'writes at the new address', writtenThen, 1),
    ]
  } finally {
    lease.close()
    await moveListener(state, undefined)
    await commands.crawl('--source', 'aws')
    await proxy.down()
  }
}
