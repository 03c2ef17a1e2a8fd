import { AssumeRoleCommand, type STSClient } from '@aws-sdk/client-sts'
import { SourceError } from './cluster-source.ts'

type RoleCredentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  /** The SDK asks again when it comes near. */
  readonly expiration: Date
}

/** What its own account's trail shows. */
const sessionName = 'switchboard-crawl'

/** Credentials of a role of another account, for an AWS client that reads there. @throws SourceError `denied` */
export const assumeRole =
  (sts: Pick<STSClient, 'send'>, roleArn: string): (() => Promise<RoleCredentials>) =>
  async () => {
    const { Credentials } = await sts
      .send(new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: sessionName }))
      .catch((cause: unknown) => {
        const status = (cause as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata
          ?.httpStatusCode
        const code = status === 403 ? 'denied' : 'unavailable'
        throw new SourceError(code, `the role \`${roleArn}\` cannot be assumed`, { cause })
      })
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {}
    if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration)
      throw new SourceError('malformed', `the role \`${roleArn}\` was assumed without credentials`)
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      expiration: Expiration,
    }
  }
