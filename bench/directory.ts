import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { marshall } from '@aws-sdk/util-dynamodb'
import { nodeOptions } from '../infra/bundling.ts'
import { createDirectoryStore } from '../shared/store/directory-store.ts'
import { bundle, withFolder } from './bundler.ts'
import { messageFrom } from './child.ts'
import type { Figure } from './figure.ts'
import { median } from './measure.ts'
import { labelShape, randomShape } from './policies.ts'
import { startSimulatedDynamo } from './simulated-dynamodb.ts'

const size = 100_000
const processes = 5
/** Of one answer to a query, as DynamoDB cuts them. */
const pageBytes = 1_000_000

type Loaded = { readonly routes: number; readonly wallMs: number; readonly cpuMs: number; readonly rssMb: number }
type Item = Record<string, unknown> & { readonly bytes?: Uint8Array }

/** What the store's own code writes for a policy, caught on its way to the database. */
const storedItems = async (policy: Parameters<ReturnType<typeof createDirectoryStore>['writePolicy']>[0]) => {
  const items: Item[] = []
  const recorder = {
    send: async ({ input }: { input: { Item?: Item; Key?: Item; ExpressionAttributeValues?: Item } }) => {
      items.push(input.Item ?? { ...input.Key, chunks: input.ExpressionAttributeValues?.[':chunks'] })
      return {}
    },
  } as unknown as DynamoDBDocumentClient
  return { hash: await createDirectoryStore(recorder, 'directory').writePolicy(policy), items }
}

const pagesOf = (items: readonly Item[]): readonly Buffer[] => {
  const pages: Item[][] = [[]]
  let bytes = 0
  for (const item of items) {
    bytes += item.bytes?.length ?? 0
    if (bytes > pageBytes) {
      pages.push([])
      bytes = item.bytes?.length ?? 0
    }
    pages.at(-1)?.push(item)
  }
  return pages.map((page, at) =>
    Buffer.from(
      JSON.stringify(
        {
          Items: page.map((item) => marshall(item)),
          ...(at === pages.length - 1 ? {} : { LastEvaluatedKey: marshall({ pk: 'page', sk: String(at + 1) }) }),
        },
        (_, value) =>
          value?.type === 'Buffer' || value instanceof Uint8Array
            ? Buffer.from(value.data ?? value).toString('base64')
            : value,
      ),
    ),
  )
}

export const measure = (): Promise<readonly Figure[]> =>
  withFolder(async (folder) => {
    const { file } = await bundle('bench/directory-cold.ts', folder)
    const figures: Figure[] = []
    for (const [name, { policy }] of Object.entries({ random: randomShape(size), 'label grants': labelShape(size) })) {
      // as many routes as the figure says, and a grant for one in a hundred
      const { hash, items } = await storedItems({ ...policy, grants: policy.grants.slice(0, size / 100) })
      const pages = pagesOf(items)
      const pointer = JSON.stringify({ Item: marshall({ pk: 'pointer', sk: 'current', revision: 1, policy: hash }) })
      const dynamo = await startSimulatedDynamo((operation, { ExclusiveStartKey }) => {
        if (operation === 'GetItem') return pointer
        const page = Number((ExclusiveStartKey as { sk: { S: string } } | undefined)?.sk.S ?? 0)
        return pages[page] ?? '{}'
      })
      const loads: Loaded[] = []
      for (let at = 0; at < processes; at++) {
        const loaded = await messageFrom<Loaded>(file, { args: [dynamo.endpoint], execArgv: nodeOptions.split(' ') })
        if (loaded.routes !== size)
          throw new Error(`the directory has \`${loaded.routes}\` routes, expected \`${size}\``)
        loads.push(loaded)
      }
      dynamo.close()
      figures.push(
        {
          name: `directory of ${size} routes, ${name}, stored`,
          value: items.reduce((sum, item) => sum + (item.bytes?.length ?? 0), 0) / 1e6,
          unit: 'MB',
        },
        // CPU is never less than the time by the clock on a machine with nothing else to do
        {
          name: `directory of ${size} routes, ${name}, cold load`,
          value: median(loads.map((load) => load.cpuMs)),
          unit: 'ms CPU',
          limit: 1_000,
        },
        {
          name: `directory of ${size} routes, ${name}, cold load by the clock`,
          value: median(loads.map((load) => load.wallMs)),
          unit: 'ms',
        },
        {
          name: `directory of ${size} routes, ${name}, RSS peak`,
          value: median(loads.map((load) => load.rssMb)),
          unit: 'MB',
          limit: 250,
        },
      )
    }
    return figures
  })
