import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { Parsed } from '../../shared/domain/channel.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { namePattern } from '../../shared/domain/intent.ts'
import type { Principal } from '../../shared/domain/principal.ts'
import { type Form, parseForm, readForm } from '../../shared/http/form.ts'
import { OAuthError, type OAuthErrorCode } from '../../shared/http/oauth-error.ts'
import { renderTokenAnswer, scopeOf, type TokenAnswer } from '../../shared/http/token-answer.ts'
import { type Authenticate, isBasic } from '../../shared/identity/authenticator.ts'
import type { DirectoryCache } from '../../shared/store/directory-cache.ts'
import type { Telemetry } from '../../shared/telemetry.ts'
import { authorizationHash } from './audit.ts'
import type { IssueToken } from './token.ts'

export type TokenEndpointDeps = {
  readonly directories: DirectoryCache
  readonly authenticate: Authenticate
  readonly issueToken: IssueToken
  readonly telemetry: Pick<Telemetry, 'audit'>
}

export type TokenEndpoint = (
  event: APIGatewayProxyEventV2,
  requestId: string,
) => Promise<APIGatewayProxyStructuredResultV2>

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** What the metadata says of this endpoint. */
export const grantTypes = ['client_credentials', jwtBearer] as const
export const clientAuthenticationMethods = ['client_secret_basic', 'client_secret_post'] as const

const invalid = (detail: string): OAuthError => new OAuthError('invalid_request', { detail })

const parametersOf = (parsed: Parsed<Form>): Form => {
  if (!parsed.ok) throw invalid(parsed.detail)
  return parsed.value
}

const bodyParameters = new Set(['grant_type', 'scope', 'assertion', 'client_id', 'client_secret'])

/** RFC 6749 2.3.1: a secret in a URL is a secret in everybody's logs. */
const readInstance = (event: APIGatewayProxyEventV2): string | undefined => {
  const query = parametersOf(parseForm(event.rawQueryString))
  if ([...query.keys()].some((name) => bodyParameters.has(name)))
    throw invalid('parameters belong to the body; only `instance` may be in the URL')
  const instance = query.get('instance')
  if (instance !== undefined && !namePattern.test(instance))
    throw invalid('`instance` is 1 to 63 of `A-Z a-z 0-9 . _ -` and starts with a letter or a digit')
  return instance
}

/** @returns the name of the one cluster asked for, undefined where none is */
const readScope = (form: Form): string | undefined => {
  const scope = form.get('scope')
  if (scope === undefined) return undefined
  const cluster = /^kafka:([a-z0-9-]{1,63})$/.exec(scope)?.[1]
  if (cluster === undefined)
    throw new OAuthError('invalid_scope', { detail: `a scope is \`${scopeOf('<cluster>')}\`, one of them` })
  return cluster
}

/** Whose proof it is, as the header that resolve would get, and what the caller hears when it is none. */
type Proof = {
  readonly authorization: string | undefined
  readonly code: Extract<OAuthErrorCode, 'invalid_client' | 'invalid_grant'>
  readonly detail: string
}

const clientProof = (form: Form, header: string | undefined): Proof => {
  const [id, secret] = [form.get('client_id'), form.get('client_secret')]
  if (header !== undefined && secret !== undefined)
    throw invalid('a client proves itself by the authorization header or by `client_secret`, not by both')
  const inBody = id !== undefined && secret !== undefined && !id.includes(':')
  const basic = header !== undefined && isBasic(header) ? header : undefined
  return {
    // a bearer token is no way for a client to prove itself here; it comes as an assertion
    authorization: inBody ? `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` : basic,
    code: 'invalid_client',
    detail: 'the client id or its secret is missing or wrong',
  }
}

const assertionProof = (form: Form, header: string | undefined): Proof => {
  if (header !== undefined || form.has('client_secret'))
    throw invalid('the assertion is the proof of identity, send no other beside it')
  const assertion = form.get('assertion')
  if (assertion === undefined) throw invalid('`assertion` is missing')
  // files that tokens are read from often end in a newline
  const token = assertion.trimEnd()
  return {
    authorization: /\s/.test(token) ? undefined : `Bearer ${token}`,
    code: 'invalid_grant',
    detail: 'the assertion is no valid proof of identity',
  }
}

const readProof = (form: Form, header: string | undefined): Proof & { readonly grantType: string } => {
  const grantType = form.get('grant_type')
  if (grantType === undefined) throw invalid('`grant_type` is missing')
  if (grantType === 'client_credentials') return { grantType, ...clientProof(form, header) }
  if (grantType === jwtBearer) return { grantType, ...assertionProof(form, header) }
  const allowed = grantTypes.map((each) => `\`${each}\``).join(' and ')
  throw new OAuthError('unsupported_grant_type', { detail: `the grant types here are ${allowed}` })
}

/**
 * OAuth 2.0 for clients that refresh their token by configuration alone.
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-4.4 client credentials
 * @see https://www.rfc-editor.org/rfc/rfc7523#section-2.1 the workload's own JWT as assertion
 * @throws OAuthError and SwitchboardError, which is told in the words of OAuth too
 */
export const createTokenEndpoint = ({
  directories,
  authenticate,
  issueToken,
  telemetry,
}: TokenEndpointDeps): TokenEndpoint => {
  const answer = async (event: APIGatewayProxyEventV2, requestId: string): Promise<TokenAnswer> => {
    const form = parametersOf(readForm(event))
    const instance = readInstance(event)
    const { grantType, authorization, code, detail } = readProof(form, event.headers.authorization)
    const snapshot = await directories.current()
    const tokenHash = authorizationHash(authorization)
    const identify = async (): Promise<Principal> => {
      try {
        return await authenticate(authorization, snapshot.directory)
      } catch (error) {
        if (!(error instanceof SwitchboardError) || error.code !== 'unauthenticated') throw error
        const { reason } = error
        telemetry.audit({ event: 'authentication', requestId, outcome: 'deny', tokenHash, grantType, reason })
        throw new OAuthError(code, { detail, reason, cause: error })
      }
    }
    const principal = await identify()
    return issueToken(principal, { id: requestId, tokenHash, grantType, cluster: readScope(form), instance }, snapshot)
  }

  return async (event, requestId) => renderTokenAnswer(await answer(event, requestId))
}
