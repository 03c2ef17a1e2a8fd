import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'

/** Whether the condition of a write held; what fails for another reason is thrown. */
export const conditionHolds = async (write: Promise<unknown>): Promise<boolean> => {
  try {
    await write
    return true
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false
    throw error
  }
}
