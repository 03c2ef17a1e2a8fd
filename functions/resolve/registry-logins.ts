import { registrySecretOf } from '../../shared/domain/cluster.ts'
import type { ConnectionDecision } from '../../shared/domain/decide.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import {
  type RegistrySecret,
  RegistrySecretError,
  type RegistrySecrets,
} from '../../shared/secrets/registry-secrets.ts'
import type { Telemetry } from '../../shared/telemetry.ts'
import { type CredentialRequest, credentialEvent } from './audit.ts'

/**
 * Cluster -> whom its schema registry lets in, where that takes a password.
 * @throws SwitchboardError `unavailable` when there is no secret as the policy says, and then that is audited
 */
export type RegistryLogins = (
  connections: readonly ConnectionDecision[],
  request: CredentialRequest,
) => Promise<ReadonlyMap<string, RegistrySecret>>

const setRightSeconds = 60

export const createRegistryLogins =
  (secretOf: RegistrySecrets, telemetry: Pick<Telemetry, 'audit'>): RegistryLogins =>
  async (connections, request) => {
    const login = async ({
      cluster,
      schemas,
    }: ConnectionDecision): Promise<readonly (readonly [string, RegistrySecret])[]> => {
      if (schemas?.registry.kind !== 'basic') return []
      const { url, secret } = schemas.registry
      try {
        return [[cluster.name, await secretOf(registrySecretOf(secret, request.principal))]]
      } catch (error) {
        if (!(error instanceof RegistrySecretError)) throw error
        const reason = `the schema registry of \`${cluster.name}\`: ${error.message}`
        telemetry.audit({
          ...credentialEvent(request),
          outcome: 'deny',
          reason,
          cluster: cluster.name,
          registry: url,
        })
        throw new SwitchboardError('unavailable', {
          detail:
            'the credential for the schema registry is not there; the platform team finds the reason by the request id',
          reason,
          retryAfterSeconds: setRightSeconds,
          cause: error,
        })
      }
    }
    return new Map((await Promise.all(connections.map(login))).flat())
  }
