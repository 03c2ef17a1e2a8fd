import { join } from 'node:path'
import { LocalError } from './errors.ts'
import { nodeFile, root } from './paths.ts'
import { cleanEnvironment, startProcess, waitUntilReady } from './processes.ts'
import type { StackState } from './state.ts'

/** What the example policy's identity rule asks of a workload's token. */
export const workloadAudience = 'switchboard'

export type TokenRequest = {
  readonly principal: string
  readonly audience?: string
  readonly algorithm?: 'RS256' | 'ES256' | 'EdDSA'
  /** Below zero for a token that has expired already. */
  readonly expiresInSeconds?: number
  /** Added to the claims that the issuer knows of the principal, or in place of them. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** Every token that the issuer of a stack minted, a line each. */
export const mintedTokensFile = (runDirectory: string): string => join(runDirectory, 'minted-tokens')

const answers = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1000) })).ok
  } catch {
    return false
  }
}

/** Starts the OIDC issuer of the workloads. */
export const startIssuer = async ({
  runDirectory,
  logDirectory,
  port,
  signal,
}: {
  readonly runDirectory: string
  readonly logDirectory: string
  readonly port: number
  readonly signal: AbortSignal
}): Promise<void> => {
  const started = startProcess(runDirectory, {
    name: 'issuer',
    file: nodeFile,
    args: [join(root, 'local/issuer-server.ts')],
    env: cleanEnvironment({
      ISSUER_PORT: String(port),
      ISSUER_KEYS_FILE: join(runDirectory, 'issuer-keys.json'),
      ISSUER_MINTED_FILE: mintedTokensFile(runDirectory),
      ISSUER_AUDIENCE: workloadAudience,
    }),
    cwd: runDirectory,
    log: join(logDirectory, 'issuer.log'),
  })
  const discovery = `http://127.0.0.1:${port}/.well-known/openid-configuration`
  await waitUntilReady(started, () => answers(discovery), { timeoutMs: 15_000, signal })
}

/** A workload's token, as its platform would give it. */
export const mintWorkloadToken = async (
  { issuer }: Pick<StackState, 'issuer'>,
  request: TokenRequest,
): Promise<string> => {
  const response = await fetch(`${issuer.url}/token`, {
    method: 'POST',
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(5000),
  })
  const answer: { readonly access_token?: string; readonly error_description?: string } = Object(await response.json())
  if (!response.ok || answer.access_token === undefined) {
    throw new LocalError(`the issuer refuses this token: ${answer.error_description ?? response.status}`)
  }
  return answer.access_token
}
