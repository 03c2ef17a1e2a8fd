import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutResourcePolicyCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'

export const secretPrefix = 'AmazonMSK_'

export type SecretValue = { readonly versionId: string; readonly username: string; readonly password: string }

/** What MSK sees of Secrets Manager, with credentials of its own. */
export type SecretReader = {
  /** The key of a secret that is there and not to be deleted; undefined is the account's default key. */
  readonly describe: (secretArn: string) => Promise<{ readonly kmsKeyId: string | undefined } | undefined>
  /** The current version; undefined when it cannot be read or is no `{"username","password"}`. */
  readonly read: (secretArn: string) => Promise<SecretValue | undefined>
  /** The current version of every secret whose name is for MSK, by ARN. */
  readonly currentVersions: () => Promise<ReadonlyMap<string, string>>
  /** Attaches the resource policy by which a cluster may read the secret. */
  readonly allowCluster: (secretArn: string) => Promise<void>
}

const credentials = z.object({ username: z.string().min(1), password: z.string().min(1) })

const parseCredentials = (text: string): z.infer<typeof credentials> | undefined => {
  try {
    return credentials.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

const refusals = ['ResourceNotFoundException', 'AccessDeniedException', 'InvalidRequestException', 'DecryptionFailure']

/** A refusal is an answer to MSK; anything else, such as an emulator that is down, is a failure. */
const unlessRefused = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Error && refusals.includes(error.name)) return undefined
    throw error
  }
}

// As the developer guide shows it: the policy that MSK attaches and that nobody else may change.
const clusterPolicy = (secretArn: string): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'AWSKafkaResourcePolicy',
        Effect: 'Allow',
        Principal: { Service: 'kafka.amazonaws.com' },
        Action: 'secretsmanager:getSecretValue',
        Resource: secretArn,
      },
    ],
  })

export const createSecretReader = (client: SecretsManagerClient): SecretReader => ({
  describe: (secretArn) =>
    unlessRefused(async () => {
      const { KmsKeyId, DeletedDate } = await client.send(new DescribeSecretCommand({ SecretId: secretArn }))
      return DeletedDate === undefined ? { kmsKeyId: KmsKeyId } : undefined
    }),
  read: (secretArn) =>
    unlessRefused(async () => {
      const { SecretString = '', VersionId = '' } = await client.send(
        new GetSecretValueCommand({ SecretId: secretArn }),
      )
      const parsed = parseCredentials(SecretString)
      return parsed && { ...parsed, versionId: VersionId }
    }),
  currentVersions: async () => {
    const versions = new Map<string, string>()
    let token: string | undefined
    do {
      const { SecretList = [], NextToken } = await client.send(
        new ListSecretsCommand({
          Filters: [{ Key: 'name', Values: [secretPrefix] }],
          MaxResults: 100,
          ...(token !== undefined && { NextToken: token }),
        }),
      )
      for (const { ARN = '', SecretVersionsToStages = {} } of SecretList) {
        const current = Object.entries(SecretVersionsToStages).find(([, stages]) => stages.includes('AWSCURRENT'))
        if (current !== undefined) versions.set(ARN, current[0])
      }
      token = NextToken
    } while (token !== undefined)
    return versions
  },
  allowCluster: async (secretArn) => {
    await client.send(new PutResourcePolicyCommand({ SecretId: secretArn, ResourcePolicy: clusterPolicy(secretArn) }))
  },
})
