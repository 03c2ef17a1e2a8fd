import { RemovalPolicy } from 'aws-cdk-lib'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'

/** Logs hold the audit of every decision, so outside development they outlive the stack, for their retention. */
export const logGroup = (
  scope: Construct,
  id: string,
  { development, logRetention }: { readonly development: boolean; readonly logRetention: RetentionDays },
): LogGroup =>
  new LogGroup(scope, id, {
    retention: logRetention,
    removalPolicy: development ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
  })
