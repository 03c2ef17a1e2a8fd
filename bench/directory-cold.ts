// A process that loads a directory from its stored chunks, once, as the first request to a new instance of resolve does.
import { createDirectoryCache } from '../shared/store/directory-cache.ts'
import { createDirectoryStore } from '../shared/store/directory-store.ts'
import { dynamoAt } from './simulated-dynamodb.ts'

const [endpoint = ''] = process.argv.slice(2)
const fail = (error: unknown): never => {
  throw error
}
const cache = createDirectoryCache(createDirectoryStore(dynamoAt(endpoint), 'directory'), () => new Date(), fail)
const before = process.cpuUsage()
const startedAt = performance.now()
const { directory } = await cache.current()
const wallMs = performance.now() - startedAt
const { user, system } = process.cpuUsage(before)
process.send?.({
  routes: directory.routes.length,
  wallMs,
  cpuMs: (user + system) / 1000,
  // the peak, in KB
  rssMb: process.resourceUsage().maxRSS / 1024,
})
process.disconnect?.()
process.exit()
