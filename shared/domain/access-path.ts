import { type Cluster, type CredentialKind, identityPoolsOf, type Listener, serviceAccountsOf } from './cluster.ts'
import type { ClientFamily } from './intent.ts'

/** The listener chosen for a caller, and the kind of credential it logs in with. */
export type AccessPath = { readonly listener: Listener; readonly kind: CredentialKind }

/** Tokens before stored credentials. */
const kindOrder: readonly CredentialKind[] = ['jwt', 'msk-iam', 'workload', 'scram', 'api-key']
const familyKinds: Record<ClientFamily, readonly CredentialKind[]> = {
  java: ['jwt', 'msk-iam', 'scram', 'api-key'],
  librdkafka: ['jwt', 'msk-iam', 'workload', 'scram', 'api-key'],
  javascript: ['jwt', 'msk-iam', 'scram', 'api-key'],
}

/** Whoever does not say what it is gets what every client can. */
const canLogIn = (family: ClientFamily | undefined, kind: CredentialKind): boolean =>
  family === undefined
    ? Object.values(familyKinds).every((kinds) => kinds.includes(kind))
    : familyKinds[family].includes(kind)

/** A listener that takes tokens takes those of every issuer that the cluster trusts. */
const takes = ({ auth }: Listener, kind: CredentialKind): boolean =>
  auth === undefined || auth.includes(kind) || (kind === 'workload' && auth.includes('jwt'))

const publicNetwork = 'public'

/** Whether the cluster knows the principal by credentials of this kind; false until somebody made that so. */
const isKnownBy = (kind: CredentialKind, cluster: Cluster, principal: string | undefined): boolean => {
  if (principal === undefined) return true
  if (kind === 'jwt' || kind === 'workload') return identityPoolsOf(cluster, principal)?.length !== 0
  if (kind === 'api-key') return serviceAccountsOf(cluster, principal)?.length !== 0
  return true
}

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
  caller: {
    readonly network: string | undefined
    readonly family: ClientFamily | undefined
    readonly principal?: string | undefined
    /** Those that the answer has a place for; undefined: all. */
    readonly kinds?: readonly CredentialKind[] | undefined
  },
): AccessPath | undefined => {
  const kinds = kindOrder.filter(
    (kind) =>
      cluster.auth.includes(kind) &&
      caller.kinds?.includes(kind) !== false &&
      canLogIn(caller.family, kind) &&
      isKnownBy(kind, cluster, caller.principal),
  )
  const listeners = [...reachable(cluster.listeners, caller.network)].sort(encryptedFirst)
  for (const kind of kinds) {
    const listener = listeners.find((each) => takes(each, kind))
    if (listener !== undefined) return { listener, kind }
  }
  return undefined
}
