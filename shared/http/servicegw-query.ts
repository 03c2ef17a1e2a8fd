import { isPatternText, parseChannel, quoted } from '../domain/channel.ts'
import { type FieldError, SwitchboardError } from '../domain/errors.ts'
import type { ClientRole } from '../domain/profile.ts'
import { decodeFormText } from './form.ts'

/** What `GET /servicegw` asks: the query string of the ancestor's contract. */
export type ServicegwQuery = {
  /** `config_profile` */
  readonly profile: string
  /** `config_profile.type` */
  readonly role: ClientRole | undefined
  /** `channel`, `channel[0]`, `channel[1]`, ...: each once and sorted, for their order means nothing. */
  readonly channels: readonly string[]
}

/** API Gateway takes no request line and headers beyond this; a longer query cannot have come through it. */
export const maximumQueryLength = 10_240
const maximumChannels = 100
const channelName = /^channel(?:\[\d*\])?$/

const invalid = (detail: string, errors: readonly FieldError[]): SwitchboardError =>
  new SwitchboardError('invalid_intent', { detail, errors })

type Parameters = {
  readonly channels: ReadonlyMap<string, string>
  readonly profile: string | undefined
  readonly type: string | undefined
}

/** Every parameter that means something here stands once: what two readers could read in two ways is refused. */
const readParameters = (rawQueryString: string): Parameters => {
  const known = new Map<string, string>()
  for (const part of rawQueryString.split('&')) {
    if (part === '') continue
    const at = part.indexOf('=')
    const name = decodeFormText(at < 0 ? part : part.slice(0, at))
    if (name === undefined)
      throw invalid('the query string has a name that is not percent-encoded UTF-8', [
        { pointer: '', detail: `a parameter whose name cannot be decoded: ${quoted(part.split('=')[0] ?? '')}` },
      ])
    if (name !== 'config_profile' && name !== 'config_profile.type' && !channelName.test(name)) continue
    const pointer = `/${name}`
    const value = decodeFormText(at < 0 ? '' : part.slice(at + 1))
    if (value === undefined)
      throw invalid('the query string has a value that is not percent-encoded UTF-8', [
        { pointer, detail: 'its value cannot be decoded' },
      ])
    // the earliest client repeats `channel[]`, and means a list by it
    const key = name === 'channel[]' ? `channel[]${known.size}` : name
    if (known.has(key))
      throw invalid('the query string can be read in more than one way', [
        { pointer, detail: 'given twice; several channels are `channel[0]`, `channel[1]`, ...' },
      ])
    known.set(key, value)
  }
  const profile = known.get('config_profile')
  const type = known.get('config_profile.type')
  known.delete('config_profile')
  known.delete('config_profile.type')
  return { channels: known, profile, type }
}

const lastSegment = (channel: string): string => channel.slice(channel.lastIndexOf('/') + 1)

/** The answer names topics by the last segment of their channel alone, so that two channels must not share it. */
const collisionErrors = (channels: readonly (readonly [string, string])[]): readonly FieldError[] => {
  const first = new Map<string, string>()
  return channels.flatMap(([name, channel]) => {
    const segment = lastSegment(channel)
    const other = first.get(segment)
    if (other === undefined) first.set(segment, channel)
    return other === undefined || other === channel
      ? []
      : [{ pointer: `/${name}`, detail: `ends in ${quoted(segment)} like another channel; ask for them one by one` }]
  })
}

const channelErrors = ([name, channel]: readonly [string, string]): readonly FieldError[] => {
  const pointer = `/${name}`
  if (isPatternText(channel)) return [{ pointer, detail: 'a channel without wildcards is needed here' }]
  const parsed = parseChannel(channel)
  return parsed.ok ? [] : [{ pointer, detail: parsed.detail }]
}

/**
 * The raw query string -> what is asked. Parameters that this contract does not have are accepted and ignored.
 * @throws SwitchboardError `invalid_intent` with a pointer to every wrong parameter
 */
export const parseServicegwQuery = (rawQueryString: string): ServicegwQuery => {
  if (rawQueryString.length > maximumQueryLength)
    throw invalid(`the query string has ${rawQueryString.length} characters, allowed are ${maximumQueryLength}`, [])
  const { channels, profile, type } = readParameters(rawQueryString)
  const asked = [...channels]
  const role = type === 'producer' || type === 'consumer' ? type : undefined
  const errors: readonly FieldError[] = [
    ...(profile === undefined ? [{ pointer: '/config_profile', detail: 'needed: the name of a profile' }] : []),
    ...(type !== undefined && role === undefined
      ? [{ pointer: '/config_profile.type', detail: `\`producer\` or \`consumer\`, got ${quoted(type)}` }]
      : []),
    ...(asked.length === 0 ? [{ pointer: '/channel', detail: 'needed: at least one channel' }] : []),
    ...(asked.length > maximumChannels
      ? [{ pointer: '/channel', detail: `at most ${maximumChannels} channels, got ${asked.length}` }]
      : []),
    ...asked.flatMap(channelErrors),
    ...collisionErrors(asked),
  ]
  if (profile === undefined || errors.length > 0)
    throw invalid('the query string has parameters that are missing or not allowed as they are', errors.slice(0, 20))
  return { profile, role, channels: [...new Set(channels.values())].sort() }
}
