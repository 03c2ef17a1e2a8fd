import type { Explanation } from '../../../shared/domain/explain.ts'
import { LocalError } from '../../errors.ts'
import { mintWorkloadToken } from '../../issuer.ts'
import type { StackState } from '../../state.ts'
import { channels, principal } from './policy.ts'

/** What the principal itself is told about its intent. */
export const askWhy = async (state: StackState): Promise<Explanation> => {
  const all = Object.values(channels)
  const response = await fetch(`${state.switchboard.url}/v1/explain`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await mintWorkloadToken(state, { principal })}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ produce: all, consume: all }),
  })
  if (!response.ok) throw new LocalError(`no explanation: ${response.status} ${await response.text()}`)
  return (await response.json()) as Explanation
}
