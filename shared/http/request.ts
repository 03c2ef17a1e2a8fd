import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { SwitchboardError } from '../domain/errors.ts'
import { negotiate } from './accept.ts'
import { parseStrictJson } from './strict-json.ts'

export const maximumBodyBytes = 65_536

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const byteOrderMark = 0xfeff

const unsupported = (detail: string): SwitchboardError => new SwitchboardError('unsupported_media_type', { detail })

/**
 * JSON and forms are UTF-8 and have no parameters (RFC 8259 8.1); who names a charset all the same must mean that one.
 * @throws SwitchboardError `unsupported_media_type`
 */
export const requireMediaType = ({ headers }: APIGatewayProxyEventV2, wanted: string): void => {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').split(';')
  if (type.trim().toLowerCase() !== wanted) throw unsupported(`send \`content-type: ${wanted}\``)
  for (const parameter of parameters) {
    const charset = /^\s*charset\s*=\s*"?([^"]*?)"?\s*$/i.exec(parameter)?.[1]
    if (charset !== undefined && !/^utf-?8$/i.test(charset)) throw unsupported('a body is read as `charset=utf-8`')
  }
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? ''
  if (encoding !== '' && encoding !== 'identity') throw unsupported('send the body without `content-encoding`')
}

const notAnIntent = (detail: string, cause?: unknown): SwitchboardError =>
  new SwitchboardError('invalid_intent', { detail, errors: [{ pointer: '', detail: 'must be a JSON object' }], cause })

/** @throws SwitchboardError `payload_too_large`, or `invalid_intent` where the body is not UTF-8 */
export const readText = ({ body = '', isBase64Encoded }: APIGatewayProxyEventV2): string => {
  const bytes = Buffer.byteLength(body, isBase64Encoded ? 'base64' : 'utf8')
  if (bytes > maximumBodyBytes)
    throw new SwitchboardError('payload_too_large', {
      detail: `the body has ${bytes} bytes, allowed are ${maximumBodyBytes}`,
    })
  if (!isBase64Encoded) {
    if (!body.isWellFormed()) throw notAnIntent('the body is not UTF-8')
    return body
  }
  try {
    return utf8.decode(Buffer.from(body, 'base64'))
  } catch (cause) {
    throw notAnIntent('the body is not UTF-8', cause)
  }
}

const parseJson = (text: string): ReturnType<typeof parseStrictJson> => {
  try {
    return parseStrictJson(text)
  } catch (cause) {
    throw notAnIntent('the body is not JSON', cause)
  }
}

/**
 * The body of a request: JSON that every reader understands alike.
 * @throws SwitchboardError `unsupported_media_type`, `payload_too_large` or `invalid_intent`
 */
export const readJsonBody = (event: APIGatewayProxyEventV2): unknown => {
  requireMediaType(event, 'application/json')
  const text = readText(event)
  if (text === '') throw notAnIntent('the body is empty')
  if (text.charCodeAt(0) === byteOrderMark) throw notAnIntent('the body begins with a byte order mark')
  const { value, ambiguity } = parseJson(text)
  if (ambiguity !== undefined)
    throw new SwitchboardError('invalid_intent', {
      detail: 'the body can be read in more than one way, or nests too deep',
      errors: [ambiguity],
    })
  return value
}

/** @throws SwitchboardError `not_acceptable` unless the caller takes JSON */
export const requireAcceptsJson = (event: APIGatewayProxyEventV2): void => {
  negotiate(event.headers.accept, ['application/json'])
}
