import { RemovalPolicy, Validations } from 'aws-cdk-lib'
import { CfnStage, HttpApi, HttpRoute, HttpRouteKey, HttpStage } from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'

export type ApiProps = { readonly logRetention: RetentionDays; readonly development: boolean }

/** One route for everything: the function answers unknown paths and methods itself, in its own words. */
export class Api extends Construct {
  readonly url: string
  private readonly api: HttpApi

  constructor(scope: Construct, id: string, { logRetention, development }: ApiProps) {
    super(scope, id)
    this.api = new HttpApi(this, 'Http', { createDefaultStage: false, description: 'Switchboard' })
    const accessLogs = new LogGroup(this, 'AccessLogs', {
      retention: logRetention,
      removalPolicy: development ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    })
    accessLogs.grantWrite(new ServicePrincipal('apigateway.amazonaws.com'))
    const stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: 2_000, burstLimit: 1_000 },
    })
    if (!(stage.node.defaultChild instanceof CfnStage)) throw new Error('an HTTP stage has no CfnStage')
    // no query string and no header: a caller may have put a secret there
    stage.node.defaultChild.accessLogSettings = {
      destinationArn: accessLogs.logGroupArn,
      format: JSON.stringify({
        requestId: '$context.requestId',
        time: '$context.requestTime',
        method: '$context.httpMethod',
        path: '$context.path',
        status: '$context.status',
        latency: '$context.responseLatency',
        ip: '$context.identity.sourceIp',
      }),
    }
    this.url = this.api.apiEndpoint
  }

  /** Sends every request to this function; it verifies tokens itself. */
  routeTo(target: IFunction): void {
    const route = new HttpRoute(this, 'Default', {
      httpApi: this.api,
      routeKey: HttpRouteKey.DEFAULT,
      integration: new HttpLambdaIntegration('Resolve', target),
    })
    Validations.of(route).acknowledge({
      id: 'AwsSolutions::AwsSolutions-APIG4',
      reason:
        'the function verifies tokens itself: the gateway knows one issuer and RS256 only, and answers in its own words',
    })
  }
}
