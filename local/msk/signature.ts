import { MskError } from './errors.ts'

const credential = /\bCredential=[^/,\s]+\/(\d{8})\/([\w-]+)\/([\w-]+)\/aws4_request\b/
const signedHeaders = /\bSignedHeaders=([\w;-]+)/
const signature = /\bSignature=[0-9a-f]{64}$/

/**
 * Refuses what AWS would not even read: a request that is not signed for the service `kafka` in this region (SigV4). The
 * signature itself is not verified, for the keys of the caller's session are known to the emulator alone.
 */
export const checkSignatureShape = (
  headers: Readonly<Record<string, string | string[] | undefined>>,
  region: string,
): void => {
  const authorization = headers.authorization
  if (typeof authorization !== 'string' || authorization === '') {
    throw new MskError('MissingAuthenticationTokenException', 'Missing Authentication Token')
  }
  const refuse = (message: string): never => {
    throw new MskError('InvalidSignatureException', message)
  }
  if (!authorization.startsWith('AWS4-HMAC-SHA256 ')) refuse('Authorization header requires AWS4-HMAC-SHA256.')
  const [, date = '', itsRegion, service] = credential.exec(authorization) ?? []
  if (date === '') refuse("Authorization header requires 'Credential' parameter.")
  if (service !== 'kafka') refuse("Credential should be scoped to correct service: 'kafka'.")
  if (itsRegion !== region) refuse(`Credential should be scoped to a valid region: '${region}'.`)
  const names = signedHeaders.exec(authorization)?.[1]?.split(';') ?? []
  if (!names.includes('host') || !names.includes('x-amz-date')) {
    refuse("Authorization header requires 'SignedHeaders' with host and x-amz-date.")
  }
  if (!signature.test(authorization)) refuse("Authorization header requires 'Signature' parameter.")
  const signedAt = headers['x-amz-date']
  if (typeof signedAt !== 'string' || !/^\d{8}T\d{6}Z$/.test(signedAt) || !signedAt.startsWith(date)) {
    refuse("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from 'x-amz-date'.")
  }
}
