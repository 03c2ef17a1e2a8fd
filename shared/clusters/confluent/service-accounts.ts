import { hash } from 'node:crypto'
import * as z from 'zod'
import type { Ensured } from './identity-providers.ts'
import { ConfluentError, type ManagementApi } from './management-api.ts'

const accountsPath = '/iam/v2/service-accounts'
const accountSchema = z.object({
  id: z.string().min(1),
  display_name: z.string(),
  description: z.string().nullish(),
})

const longestName = 64
const madeByUs = 'One principal of Switchboard on one cluster'

/** By which it is found again; one per cluster and Kafka user, and in an organisation no two accounts have one name. */
export const serviceAccountName = (cluster: string, user: string): string => {
  const name = `${cluster}/${user}`
  return name.length <= longestName
    ? name
    : `${name.slice(0, longestName - 17)}-${hash('sha256', name, 'hex').slice(0, 16)}`
}

/**
 * Makes service accounts be there, by their names. Repeating it changes nothing.
 * @returns in the order of `names`
 * @throws ConfluentError also when somebody else has made one of such a name: whatever rights it has would be the principal's
 */
export const ensureServiceAccounts = async (
  api: ManagementApi,
  names: readonly string[],
): Promise<readonly Ensured[]> => {
  const present = new Map((await api.list(accountsPath, accountSchema)).map((each) => [each.display_name, each]))
  const ensured: Ensured[] = []
  for (const name of names) {
    const found = present.get(name)
    if (found === undefined) {
      const body = { display_name: name, description: madeByUs }
      const { id } = await api.send('POST', accountsPath, body, z.object({ id: z.string().min(1) }))
      ensured.push({ id, outcome: 'made' })
    } else if (found.description === madeByUs) ensured.push({ id: found.id, outcome: 'there' })
    else
      throw new ConfluentError(
        `the service account \`${found.id}\` is called \`${name}\` and is described as \`${found.description ?? ''}\`; allowed: \`${madeByUs}\`, as of those that were made here`,
        undefined,
      )
  }
  return ensured
}
