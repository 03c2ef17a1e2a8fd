import { countCredentials } from '../../shared/domain/credential-census.ts'
import { rotationContext } from '../../shared/domain/provider-clock.ts'
import type { Credential, RotationContext } from '../../shared/domain/rotation.ts'
import { type SigningKeyTimes, signingKeyContext, signingKeys } from '../../shared/domain/signing-key.ts'
import type { CredentialStore } from '../../shared/store/credential-store.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import type { InForce } from './in-force.ts'

/** Counts all stored credentials for metrics and alarms. It reads the whole table, so it is no part of a sweep. */
export type Census = () => Promise<void>

export type CensusDeps = {
  readonly inForce: () => Promise<InForce>
  readonly credentials: Pick<CredentialStore, 'list'>
  readonly times: SigningKeyTimes
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

export const createCensus =
  ({ inForce, credentials, times, telemetry, clock }: CensusDeps): Census =>
  async () => {
    const [{ directories }, all] = await Promise.all([inForce(), credentials.list()])
    const now = clock()
    const contextOf = (credential: Credential): RotationContext => {
      if (credential.cluster === signingKeys.cluster) return signingKeyContext(times, now)
      const holder = directories.findLast(({ clusters }) => clusters.has(credential.cluster))
      return rotationContext(credential, holder?.clusters.get(credential.cluster), now)
    }
    const { states, oldestSeconds, stuck, overdue } = countCredentials(all, contextOf)
    for (const [state, count] of Object.entries(states))
      telemetry.gauge(metricNames.credentialSlots, count, 'Count', { name: 'state', value: state })
    telemetry.gauge(metricNames.oldestCredential, oldestSeconds, 'Seconds')
    telemetry.gauge(metricNames.credentialsStuck, stuck, 'Count')
    telemetry.gauge(metricNames.credentialsOverdue, overdue, 'Count')
    if (stuck + overdue > 0)
      telemetry.warn('stored credentials need somebody: `switchboard credentials` lists them', { stuck, overdue })
  }
