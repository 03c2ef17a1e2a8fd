import type { Mutation } from './mutation.ts'
import { accessMutations } from './mutations/access.ts'
import { apiKeyMutations } from './mutations/api-keys.ts'
import { applyMutations } from './mutations/apply.ts'
import { cliMutations } from './mutations/cli.ts'
import { crawlMutations } from './mutations/crawl.ts'
import { credentialMutations } from './mutations/credentials.ts'
import { decisionMutations } from './mutations/decision.ts'
import { fileMutations } from './mutations/file.ts'
import { identityMutations } from './mutations/identity.ts'
import { inputMutations } from './mutations/input.ts'
import { mskMutations } from './mutations/msk.ts'
import { operationsMutations } from './mutations/operations.ts'
import { registryMutations } from './mutations/registry.ts'
import { resolveMutations } from './mutations/resolve.ts'
import { rotateMutations } from './mutations/rotate.ts'
import { sdkMutations } from './mutations/sdk.ts'
import { servicegwMutations } from './mutations/servicegw.ts'
import { storeMutations } from './mutations/store.ts'
import { tokenMutations } from './mutations/token.ts'

export const mutations: readonly Mutation[] = [
  ...mskMutations,
  ...registryMutations,
  ...operationsMutations,
  ...identityMutations,
  ...decisionMutations,
  ...accessMutations,
  ...tokenMutations,
  ...servicegwMutations,
  ...resolveMutations,
  ...rotateMutations,
  ...credentialMutations,
  ...apiKeyMutations,
  ...crawlMutations,
  ...storeMutations,
  ...applyMutations,
  ...sdkMutations,
  ...inputMutations,
  ...fileMutations,
  ...cliMutations,
]
