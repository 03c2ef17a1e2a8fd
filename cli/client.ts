import { isPrincipalName } from '../shared/domain/principal.ts'
import { type ClientStore, createClientSecret } from '../shared/store/client-store.ts'
import { CommandError } from './command-error.ts'

export type ClientDeps = { readonly clients: ClientStore; readonly report: (line: string) => void }

const find = async (clients: ClientStore, id: string) => (await clients.list()).find((client) => client.id === id)

const changedMeanwhile = (id: string): CommandError =>
  new CommandError(`somebody else changed the client \`${id}\` meanwhile; try again`)

/** Prints `id:secret`, the only time that the secret is anywhere but with its owner. */
export const addClient = async (id: string, { clients, report }: ClientDeps): Promise<void> => {
  if (!isPrincipalName(id))
    throw new CommandError('a client id is 1 to 63 of `A-Z a-z 0-9 . _ -` and starts with a letter or a digit', 2)
  if ((await find(clients, id)) !== undefined)
    throw new CommandError(
      `the client \`${id}\` exists; give it another secret with \`switchboard client rotate ${id}\``,
    )
  const { secret, digest } = createClientSecret()
  if (!(await clients.put({ id, digests: [digest] }, 0))) throw changedMeanwhile(id)
  report(`${id}:${secret}`)
}

/** Prints a second secret, valid beside the first until `finishRotation`. */
export const rotateClient = async (id: string, { clients, report }: ClientDeps): Promise<void> => {
  const client = await requireClient(clients, id)
  const [current, ...others] = client.digests
  if (current === undefined || others.length > 0)
    throw new CommandError(
      `the client \`${id}\` has two secrets; end the old one with \`switchboard client rotate ${id} --finish\``,
    )
  const { secret, digest } = createClientSecret()
  if (!(await clients.put({ id, digests: [digest, current] }, client.version))) throw changedMeanwhile(id)
  report(`${id}:${secret}`)
}

/** Ends the older secret. */
export const finishRotation = async (id: string, { clients, report }: ClientDeps): Promise<void> => {
  const client = await requireClient(clients, id)
  const [newest, ...others] = client.digests
  if (newest === undefined || others.length === 0)
    throw new CommandError(`the client \`${id}\` has one secret; make another with \`switchboard client rotate ${id}\``)
  if (!(await clients.put({ id, digests: [newest] }, client.version))) throw changedMeanwhile(id)
  report(`the older secret of ${id} is refused within 5 s`)
}

export const removeClient = async (id: string, { clients, report }: ClientDeps): Promise<void> => {
  await requireClient(clients, id)
  await clients.remove(id)
  report(`${id} is refused within 5 s; leases that it holds end by themselves, those of /servicegw stay on record`)
}

const requireClient = async (clients: ClientStore, id: string) => {
  const client = await find(clients, id)
  if (client === undefined)
    throw new CommandError(`there is no client \`${id}\`; make it with \`switchboard client add ${id}\``)
  return client
}
