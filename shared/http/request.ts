import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { SwitchboardError } from '../domain/errors.ts'

export const maximumBodyBytes = 65_536

/**
 * The JSON body of a request.
 * @throws SwitchboardError `unsupported_media_type`, `payload_too_large` or `invalid_intent`
 */
export const readJsonBody = (event: APIGatewayProxyEventV2): unknown => {
  const type = event.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw new SwitchboardError('unsupported_media_type', { detail: 'send `content-type: application/json`' })
  const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  if (bytes.length > maximumBodyBytes)
    throw new SwitchboardError('payload_too_large', {
      detail: `the body has ${bytes.length} bytes, allowed are ${maximumBodyBytes}`,
    })
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new SwitchboardError('invalid_intent', {
      detail: 'the body is not JSON in UTF-8',
      errors: [{ pointer: '', detail: 'must be a JSON object' }],
      cause,
    })
  }
}

/** @throws SwitchboardError `not_acceptable` unless the caller takes JSON */
export const requireAcceptsJson = (event: APIGatewayProxyEventV2): void => {
  const accept = event.headers.accept ?? '*/*'
  const takes = accept.split(',').some((range) => {
    const type = range.split(';')[0]?.trim().toLowerCase()
    return type === '*/*' || type === 'application/*' || type === 'application/json'
  })
  if (!takes) throw new SwitchboardError('not_acceptable', { detail: 'this endpoint answers `application/json`' })
}
