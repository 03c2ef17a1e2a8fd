import { App, Stack, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { Switchboard } from './switchboard.ts'

const app = new App()
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))

const issuerUrl: unknown = app.node.tryGetContext('issuerUrl')
const stack = new Stack(app, 'Switchboard', { description: 'An access layer for Kafka' })
new Switchboard(stack, 'Switchboard', {
  ...(typeof issuerUrl === 'string' ? { issuerUrl } : {}),
  development: app.node.tryGetContext('development') === 'true',
})
