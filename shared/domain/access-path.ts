import type { Cluster, CredentialKind, Listener } from './cluster.ts'
import type { ClientFamily } from './intent.ts'

/** The listener chosen for a caller, and the kind of credential it logs in with. */
export type AccessPath = { readonly listener: Listener; readonly kind: CredentialKind }

/** Tokens before stored credentials. */
const kindOrder: readonly CredentialKind[] = ['jwt', 'scram']
const familyKinds: Record<ClientFamily, readonly CredentialKind[]> = {
  java: ['jwt', 'scram'],
  librdkafka: ['jwt', 'scram'],
  javascript: ['jwt', 'scram'],
}

const publicNetwork = 'public'

/** Without a network asked for: listeners that name none or `public`; where there are none, all of them. */
const reachable = (listeners: readonly Listener[], network: string | undefined): readonly Listener[] => {
  if (network !== undefined) return listeners.filter((listener) => listener.network === network)
  const open = listeners.filter(({ network: of }) => of === undefined || of === publicNetwork)
  return open.length > 0 ? open : listeners
}

const encryptedFirst = (a: Listener, b: Listener): number =>
  Number(b.security === 'SASL_SSL') - Number(a.security === 'SASL_SSL') ||
  (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

/** Rule 5: the asked network, then a mechanism both sides have, tokens first, then encrypted before plain, then by name. */
export const selectAccessPath = (
  cluster: Cluster,
  caller: { readonly network: string | undefined; readonly family: ClientFamily | undefined },
): AccessPath | undefined => {
  const kinds = kindOrder.filter(
    (kind) => cluster.auth.includes(kind) && (caller.family === undefined || familyKinds[caller.family].includes(kind)),
  )
  const listeners = [...reachable(cluster.listeners, caller.network)].sort(encryptedFirst)
  for (const kind of kinds) {
    const listener = listeners.find(({ auth }) => auth === undefined || auth.includes(kind))
    if (listener !== undefined) return { listener, kind }
  }
  return undefined
}
