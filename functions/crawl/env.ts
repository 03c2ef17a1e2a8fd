import * as z from 'zod'
import { parseEnv } from '../../shared/env.ts'

const crawlEnvSchema = z.object({
  DIRECTORY_TABLE: z.string().min(1),
  INVENTORY_TABLE: z.string().min(1),
  LEASES_TABLE: z.string().min(1),
  ACCESS_TABLE: z.string().min(1),
  QUEUE_URL: z.url(),
  /** Where rotate is told whose access has to be made anew. */
  ROTATE_QUEUE_URL: z.url(),
  /** Whose clusters are those of a source without a role. */
  ACCOUNT_ID: z.string().regex(/^\d{12}$/),
  CONFLUENT_URL: z.url(),
  /** `true`: control planes may be on loopback addresses, without TLS. */
  DEVELOPMENT: z.enum(['true', 'false']),
})

/** What the crawl function is told by its deployment; `infra` must set every one of them. */
export type CrawlEnv = z.infer<typeof crawlEnvSchema>

/** @throws Error naming every variable that is missing or malformed */
export const parseCrawlEnv = (env: NodeJS.ProcessEnv): CrawlEnv => parseEnv('crawl', crawlEnvSchema, env)
