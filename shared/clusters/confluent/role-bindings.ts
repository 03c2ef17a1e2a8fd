import * as z from 'zod'
import { ConfluentError, type ManagementApi } from './management-api.ts'

/** What an identity pool or a service account may do with the subjects of a schema registry. `user`: `pool-...` or `sa-...` */
export type RegistryRoles = { readonly user: string; readonly roles: readonly string[] }

/** `left`: nobody wants it, and it is there. */
export type EnsuredRole = {
  readonly user: string
  readonly role: string
  readonly outcome: 'made' | 'there' | 'left'
}

const bindingsPath = '/iam/v2/role-bindings'
const bindingSchema = z.object({ principal: z.string(), role_name: z.string(), crn_pattern: z.string() })
const environmentSchema = z.object({ id: z.string().min(1) })
const registrySchema = z.object({
  id: z.string().min(1),
  metadata: z.object({ resource_name: z.string().min(1) }),
})

const query = (path: string, parameters: Readonly<Record<string, string>>): string =>
  `${path}?${new URLSearchParams(parameters)}`

/** The name of a schema registry among everything that Confluent Cloud has. */
const findRegistry = async (api: ManagementApi, id: string, environment: string | undefined): Promise<string> => {
  const environments = environment === undefined ? await api.list('/org/v2/environments', environmentSchema) : []
  for (const each of environment === undefined ? environments.map((found) => found.id) : [environment]) {
    const registries = await api.list(query('/srcm/v3/clusters', { environment: each }), registrySchema)
    const found = registries.find((registry) => registry.id === id)
    if (found !== undefined) return found.metadata.resource_name
  }
  throw new ConfluentError(`there is no schema registry \`${id}\` that the Cloud API key sees`, undefined)
}

/**
 * Gives identity pools and service accounts what they are to have on all subjects of a schema registry, which takes their tokens
 * or API keys and lets nobody do anything without a role. Takes nothing away. Repeating it changes nothing.
 * @throws ConfluentError
 */
export const ensureRegistryRoles = async (
  api: ManagementApi,
  registry: { readonly id: string; readonly environment: string | undefined },
  wanted: readonly RegistryRoles[],
): Promise<readonly EnsuredRole[]> => {
  const subjects = `${await findRegistry(api, registry.id, registry.environment)}/subject=*`
  const ensured: EnsuredRole[] = []
  for (const { user, roles } of wanted) {
    const principal = `User:${user}`
    const found = await api.list(query(bindingsPath, { principal, crn_pattern: subjects }), bindingSchema)
    const present = found.filter((each) => each.crn_pattern === subjects).map((each) => each.role_name)
    for (const role of roles) {
      if (!present.includes(role))
        await api.send('POST', bindingsPath, { principal, role_name: role, crn_pattern: subjects }, z.unknown())
      ensured.push({ user, role, outcome: present.includes(role) ? 'there' : 'made' })
    }
    ensured.push(
      ...present.filter((role) => !roles.includes(role)).map((role) => ({ user, role, outcome: 'left' as const })),
    )
  }
  return ensured
}
