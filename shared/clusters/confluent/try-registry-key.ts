import type { RegistryLogin } from '../../domain/registry-login.ts'
import type { Login } from '../credential-backend.ts'

const requestTimeoutMs = 3_000

/**
 * Logs in to a schema registry as a client would; what it may do there is not asked.
 * @see https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 */
export const tryRegistryKey = async (
  url: string,
  { username, password }: RegistryLogin,
  fetch: typeof globalThis.fetch,
): Promise<Login> => {
  try {
    const response = await fetch(`${url}/subjects?limit=1`, {
      headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
      // it would take the key with it
      redirect: 'error',
      signal: AbortSignal.timeout(requestTimeoutMs),
    })
    await response.body?.cancel()
    if (response.status === 401) return 'refused'
    return response.ok || response.status === 403 ? 'works' : 'unreachable'
  } catch {
    return 'unreachable'
  }
}
