import { fromEnv } from '@aws-sdk/credential-provider-env'

/**
 * Stands in a function's bundle for the SDK's chain of credential providers: Lambda puts the role's credentials into the
 * environment and nowhere else, and the rest of the chain is 130 KB that each cold start would read.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
 */
export const defaultProvider = fromEnv
