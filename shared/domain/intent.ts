import * as z from 'zod'
import {
  type Channel,
  type ChannelPattern,
  isPatternText,
  parseChannel,
  parseChannelPattern,
  quoted,
} from './channel.ts'
import { SwitchboardError } from './errors.ts'
import type { Action } from './grant.ts'
import type { SlotName } from './rotation.ts'

export type ClientFamily = 'java' | 'librdkafka' | 'javascript'

/** One channel, or all channels of a pattern (`*` and a last `**`). */
export type Asked =
  | { readonly kind: 'channel'; readonly name: string; readonly channel: Channel }
  | { readonly kind: 'pattern'; readonly name: string; readonly pattern: ChannelPattern }

/** What a caller asks for. */
export type Intent = {
  readonly produce: readonly Asked[]
  readonly consume: readonly Asked[]
  readonly group: string | undefined
  readonly profile: { readonly producer?: string | undefined; readonly consumer?: string | undefined }
  readonly client: { readonly instance?: string | undefined; readonly family?: ClientFamily | undefined }
  readonly network: string | undefined
  /** The lease to renew. */
  readonly lease: string | undefined
  /** Cluster -> slot that every client of the lease runs with by now. */
  readonly moved: Readonly<Record<string, SlotName>>
}

const maximumChannels = 100
export const leaseIdPattern = /^lease_[0-9a-f]{32}$/
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const name = z.string().regex(namePattern, {
  error: () => 'a name is 1 to 63 of `A-Z a-z 0-9 . _ -` and starts with a letter or a digit',
})
const groupName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,248}$/, {
  error: () => 'a group is 1 to 249 of `A-Z a-z 0-9 . _ -` and starts with a letter or a digit',
})

const asked = z.string().transform((name, context): Asked => {
  const refuse = (message: string): never => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (!isPatternText(name)) {
    const parsed = parseChannel(name)
    return parsed.ok ? { kind: 'channel', name, channel: parsed.value } : refuse(parsed.detail)
  }
  const parsed = parseChannelPattern(name)
  if (!parsed.ok) return refuse(parsed.detail)
  if (parsed.value.segments.some((segment) => segment.kind === 'one' && segment.name !== undefined))
    return refuse('an intent may have `*` and a last `**`; `{name}` is for routes')
  return { kind: 'pattern', name, pattern: parsed.value }
})

const channels = z
  .array(asked)
  .max(maximumChannels, { error: () => `at most ${maximumChannels} channels` })
  .refine((list) => new Set(list.map((entry) => entry.name)).size === list.length, {
    error: () => 'each channel once',
  })

/** The body of `POST /v1/resolve`. */
export const intentSchema = z
  .strictObject(
    {
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
      moved: z
        .record(
          z.string().regex(/^[a-z0-9-]{1,63}$/, { error: () => 'the name of a cluster' }),
          z.enum(['a', 'b'], { error: () => 'the `slot` of a credential that an answer gave' }),
        )
        .optional(),
    },
    { error: ({ code }) => (code === 'invalid_type' ? 'must be a JSON object' : undefined) },
  )
  .refine((body) => (body.produce?.length ?? 0) + (body.consume?.length ?? 0) > 0, {
    error: () => 'at least one channel in `produce` or `consume`',
  })

const pointer = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

/** A caller's own names come back short and in ASCII. */
const detailOf = (issue: z.core.$ZodIssue): string =>
  issue.code === 'unrecognized_keys'
    ? `no member has the name ${issue.keys.slice(0, 5).map(quoted).join(', ')}`
    : issue.message

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
        .map((issue) => ({ pointer: pointer(issue.path), detail: detailOf(issue) })),
    })
  const { produce = [], consume = [], group, profile = {}, client = {}, network, lease, moved = {} } = parsed.data
  if (group !== undefined && consume.length === 0)
    throw new SwitchboardError('invalid_intent', {
      detail: 'a group belongs to `consume`',
      errors: [{ pointer: '/group', detail: 'only with at least one channel in `consume`' }],
    })
  if (lease === undefined && parsed.data.moved !== undefined)
    throw new SwitchboardError('invalid_intent', {
      detail: 'clients move within a lease',
      errors: [{ pointer: '/moved', detail: 'only with `lease`' }],
    })
  return { produce, consume, group, profile, client, network, lease, moved }
}

export type Wish = { readonly action: Action; readonly asked: Asked; readonly pointer: string }

/** Everything an intent asks for, in the caller's order, with where it stands in the body. */
export const wishes = (intent: Intent): readonly Wish[] =>
  (['produce', 'consume'] as const).flatMap((action) =>
    intent[action].map((entry, index) => ({ action, asked: entry, pointer: `/${action}/${index}` })),
  )

/** What two intents have in common when a restart may reuse the lease: everything but the instance itself. */
export const intentKey = (intent: Intent): unknown => ({
  produce: intent.produce.map((entry) => entry.name).sort(),
  consume: intent.consume.map((entry) => entry.name).sort(),
  group: intent.group,
  profile: intent.profile,
  family: intent.client.family,
  network: intent.network,
})
