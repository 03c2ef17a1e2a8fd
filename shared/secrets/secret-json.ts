import * as z from 'zod'

/** Without the parser's own message, which quotes the text. */
export const parseSecretJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const text = z.string().min(1)

/**
 * An API key of Confluent Cloud, in the shape in which Secrets Manager itself rotates them.
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-ConfluentCloudApiKey.html
 */
export const apiKeySchema = z.object({ apiKey: text, apiSecret: text })
