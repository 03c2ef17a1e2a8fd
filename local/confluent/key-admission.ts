import type { Admit } from '../schema-registry/registry.ts'
import type { ApiKeys } from './api-keys.ts'
import { mayUseSubjects, type RoleBindings } from './role-bindings.ts'

export type KeyAdmissionOptions = {
  readonly apiKeys: Pick<ApiKeys, 'ownerOf'>
  readonly roleBindings: Pick<RoleBindings, 'list'>
  /** `lsrc-...` */
  readonly registry: string
}

/**
 * As a schema registry of Confluent Cloud admits by HTTP Basic: an API key of that very registry, and a role that its owner
 * has on all subjects.
 */
export const admitKeys =
  ({ apiKeys, roleBindings, registry }: KeyAdmissionOptions): Admit =>
  async ({ authorization = '' }, action) => {
    const [, encoded = ''] = /^Basic (\S+)$/.exec(authorization) ?? []
    const [, id = '', secret = ''] = /^([^:]+):(.+)$/.exec(Buffer.from(encoded, 'base64').toString()) ?? []
    const owner = apiKeys.ownerOf({ id, secret }, registry)
    if (owner === undefined) return 'unknown'
    return mayUseSubjects(roleBindings, registry, owner, action) ? 'admitted' : 'forbidden'
  }
