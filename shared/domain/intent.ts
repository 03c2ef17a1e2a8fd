import * as z from 'zod'
import { type Channel, isPatternText, parseChannel } from './channel.ts'
import { SwitchboardError } from './errors.ts'
import type { Action } from './grant.ts'

export type ClientFamily = 'java' | 'librdkafka' | 'javascript'

/** What a caller asks for. */
export type Intent = {
  readonly produce: readonly Channel[]
  readonly consume: readonly Channel[]
  readonly group: string | undefined
  readonly profile: { readonly producer?: string | undefined; readonly consumer?: string | undefined }
  readonly client: { readonly instance?: string | undefined; readonly family?: ClientFamily | undefined }
  readonly network: string | undefined
  /** The lease to renew. */
  readonly lease: string | undefined
}

const maximumChannels = 100
export const leaseIdPattern = /^lease_[0-9a-f]{32}$/
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error: () => 'a name is 1 to 63 of `A-Z a-z 0-9 . _ -` and starts with a letter or a digit',
})
const groupName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,248}$/, {
  error: () => 'a group is 1 to 249 of `A-Z a-z 0-9 . _ -` and starts with a letter or a digit',
})

const channel = z.string().transform((text, context): Channel => {
  if (isPatternText(text)) {
    context.addIssue({ code: 'custom', message: 'name each channel; patterns are for grants and routes' })
    return z.NEVER
  }
  const parsed = parseChannel(text)
  if (parsed.ok) return parsed.value
  context.addIssue({ code: 'custom', message: parsed.detail })
  return z.NEVER
})

const channels = z
  .array(channel)
  .max(maximumChannels, { error: () => `at most ${maximumChannels} channels` })
  .refine((list) => new Set(list.map((entry) => entry.name)).size === list.length, {
    error: () => 'each channel once',
  })

/** The body of `POST /v1/resolve`. */
export const intentSchema = z
  .strictObject({
    produce: channels.optional(),
    consume: channels.optional(),
    group: groupName.optional(),
    profile: z.strictObject({ producer: name.optional(), consumer: name.optional() }).optional(),
    client: z
      .strictObject({ instance: name.optional(), family: z.enum(['java', 'librdkafka', 'javascript']).optional() })
      .optional(),
    network: name.optional(),
    lease: z
      .string()
      .regex(leaseIdPattern, { error: () => 'a lease id as an answer gave it' })
      .optional(),
  })
  .refine((body) => (body.produce?.length ?? 0) + (body.consume?.length ?? 0) > 0, {
    error: () => 'at least one channel in `produce` or `consume`',
  })

const pointer = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

/**
 * Untrusted JSON -> intent.
 * @throws SwitchboardError `invalid_intent` with a pointer to every wrong field
 */
export const parseIntent = (body: unknown): Intent => {
  const parsed = intentSchema.safeParse(body)
  if (!parsed.success)
    throw new SwitchboardError('invalid_intent', {
      detail: 'the intent has fields that are not allowed as they are',
      errors: parsed.error.issues
        .slice(0, 20)
        .map((issue) => ({ pointer: pointer(issue.path), detail: issue.message })),
    })
  const { produce = [], consume = [], group, profile = {}, client = {}, network, lease } = parsed.data
  if (group !== undefined && consume.length === 0)
    throw new SwitchboardError('invalid_intent', {
      detail: 'a group belongs to `consume`',
      errors: [{ pointer: '/group', detail: 'only with at least one channel in `consume`' }],
    })
  return { produce, consume, group, profile, client, network, lease }
}

/** Every (action, channel) of an intent, in the caller's order. */
export const wishes = (intent: Intent): readonly { action: Action; channel: Channel; pointer: string }[] => [
  ...intent.produce.map((entry, index) => ({
    action: 'produce' as const,
    channel: entry,
    pointer: `/produce/${index}`,
  })),
  ...intent.consume.map((entry, index) => ({
    action: 'consume' as const,
    channel: entry,
    pointer: `/consume/${index}`,
  })),
]

/** What two intents have in common when a restart may reuse the lease: everything but the instance itself. */
export const intentKey = (intent: Intent): unknown => ({
  produce: intent.produce.map((entry) => entry.name).sort(),
  consume: intent.consume.map((entry) => entry.name).sort(),
  group: intent.group,
  profile: intent.profile,
  family: intent.client.family,
  network: intent.network,
})
