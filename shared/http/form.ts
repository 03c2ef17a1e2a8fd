import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import type { Parsed } from '../domain/channel.ts'
import { readText, requireMediaType } from './request.ts'

/** Name -> value of the parameters that have one; what is sent empty counts as left out (RFC 6749 3.2). */
export type Form = ReadonlyMap<string, string>

/** One name or value of `application/x-www-form-urlencoded`; undefined where it is not percent-encoded UTF-8. */
export const decodeFormText = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/**
 * `application/x-www-form-urlencoded`, for every reader alike: each name once, UTF-8, nothing that should have been
 * encoded. Printable ASCII need not be: clients send `scope=kafka:orders` as it is.
 * @see https://www.rfc-editor.org/rfc/rfc6749#appendix-B
 */
export const parseForm = (text: string): Parsed<Form> => {
  if (!/^[!-~]*$/.test(text)) return { ok: false, detail: 'parameters hold characters that are not percent-encoded' }
  const seen = new Set<string>()
  const form = new Map<string, string>()
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decodeFormText(equals < 0 ? pair : pair.slice(0, equals))
    const value = decodeFormText(equals < 0 ? '' : pair.slice(equals + 1))
    if (name === undefined || value === undefined)
      return { ok: false, detail: 'parameters hold a percent-encoding that is broken or not UTF-8' }
    if (seen.has(name)) return { ok: false, detail: 'a parameter is sent more than once' }
    seen.add(name)
    if (value !== '') form.set(name, value)
  }
  return { ok: true, value: form }
}

/**
 * The parameters of a request's body.
 * @throws SwitchboardError `unsupported_media_type`, `payload_too_large`, or `invalid_intent` where it is not UTF-8
 */
export const readForm = (event: APIGatewayProxyEventV2): Parsed<Form> => {
  requireMediaType(event, 'application/x-www-form-urlencoded')
  // librdkafka 2.16 sends a token as its file has it, and many files end in a line break
  return parseForm(readText(event).replace(/(?<=(?:^|&)assertion=[\w.-]+)\r?\n(?=&|$)/, ''))
}
