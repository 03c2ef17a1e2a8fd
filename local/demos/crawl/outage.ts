import { atLeast, type Measure, none } from '../outcome.ts'
import type { ClusterAnswer } from './commands.ts'
import { standby } from './policy.ts'
import type { SecondAddress } from './second-address.ts'
import type { Stage } from './stage.ts'

const part = 'outage'

/** One of the policy's clusters goes away and comes back. */
export const loseCluster = async ({ commands, report }: Stage, proxy: SecondAddress): Promise<readonly Measure[]> => {
  const look = async (): Promise<{ own: ClusterAnswer | undefined; others: readonly ClusterAnswer[] }> => {
    const all = await commands.clusters()
    const isOwn = ({ source, id }: ClusterAnswer): boolean => source === 'kafka' && id === standby
    // `analytics` is MSK's now, so the policy's own source has it no more
    const others = all.filter((cluster) => !isOwn(cluster) && cluster.vanishedAt === undefined)
    return { own: all.find(isOwn), others }
  }
  await commands.crawl()
  const before = await look()
  await proxy.down()
  const downAt = Date.now()
  const first = await commands.crawl()
  const during = await look()
  await commands.crawl()
  const still = await look()
  const since = during.own?.failing?.since
  report(`${standby} is ${during.own?.failing?.code ?? 'fine'} since ${since ?? '-'}, the others are as they were`)
  await proxy.up()
  await commands.crawl()
  const after = await look()
  const isSeenAgain = ({ seenAt, failing }: ClusterAnswer): boolean =>
    failing === undefined && seenAt !== undefined && Date.parse(seenAt) >= downAt
  const textOf = ({ source, id }: ClusterAnswer): string => `${source} ${id}`
  return [
    atLeast(part, 'topics of it before', before.own?.counts?.topics ?? 0, 1),
    none(
      part,
      'other clusters that failed',
      first.failed.filter(({ id }) => id !== standby).map(({ id }) => id),
    ),
    none(
      part,
      'other clusters that were not looked at',
      during.others.filter((each) => !isSeenAgain(each)).map(textOf),
    ),
    none(part, 'says something else than `unavailable`', during.own?.failing?.code === 'unavailable' ? [] : [standby]),
    none(part, 'says another time at the next crawl', still.own?.failing?.since === since ? [] : [String(since)]),
    none(part, 'topics forgotten meanwhile', (before.own?.counts?.topics ?? 0) - (still.own?.counts?.topics ?? 0)),
    none(part, 'still failing when it is back', after.own?.failing === undefined ? [] : [after.own.failing.code]),
  ]
}
