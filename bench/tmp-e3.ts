import { createHandler } from '../functions/resolve/handler.ts'
import { createTelemetry } from '../shared/telemetry.ts'
import { createMemoryLeaseStore } from '../shared/store/memory.ts'
import { startLoopbackIssuer } from './loopback-issuer.ts'
import { bodyOf, createReadyAccessStore, eventOf, startResolveHandler, teamOf } from './resolve-handler.ts'
import { createAuthenticator } from '../shared/identity/authenticator.ts'
import { createIssuerKeys } from '../shared/identity/issuer-keys.ts'
import { compileDirectory } from '../shared/domain/directory.ts'
import { labelShape } from './policies.ts'
import { signKafkaToken } from '../shared/secrets/kafka-token.ts'
import { generateKeyPairSync } from 'node:crypto'
const issuer = await startLoopbackIssuer()
const cpu=()=>{const u=process.cpuUsage();return u.user+u.system}
const bench=async(n,f,k=300)=>{let best=1e9;for(let r=0;r<25;r++){const t=cpu();for(let i=0;i<k;i++)await f(i+r*k);const e=(cpu()-t)/k; best=Math.min(best,e)} console.error(n.padEnd(30),best.toFixed(2))}
const toks=[];for(let i=0;i<500;i++){const c=i%500;toks.push([issuer.mint({sub:`service-${c}`,team:teamOf(c)}),bodyOf({caller:c,instance:'f'+i})])}
const noop={info(){},warn(){},error(){},count(){},audit(){},flush(){}}
const ctx={getRemainingTimeInMillis:()=>10000} as any
const h=createHandler({'/v1/resolve':{POST:async()=>({statusCode:200})}} as any,noop as any)
const h2=createHandler({'/v1/resolve':{POST:async()=>({statusCode:200})}} as any,createTelemetry('resolve'))
const clock=()=>new Date()
const auth=createAuthenticator({issuerKeys:createIssuerKeys({fetch,clock,development:true,onFailure:(_,e)=>{throw e}}),clientDigests:async()=>new Map(),ownIssuer:'x',clock})
const {directory}=compileDirectory(labelShape(1000,issuer.issuer).policy,'x')
const {privateKey}=generateKeyPairSync('ec',{namedCurve:'P-256'})
const send = await startResolveHandler(issuer.issuer,{access: await createReadyAccessStore(500),leases: createMemoryLeaseStore()})
const e=toks.map(([t,b])=>eventOf(t,b))
for(let k=0;k<2;k++){
await bench('handler, nothing in it',(i)=>h(e[i%500],ctx))
await bench('handler, telemetry',(i)=>h2(e[i%500],ctx))
await bench('authenticate',(i)=>auth(`Bearer ${toks[i%500][0]}`,directory))
await bench('kafka token',(i)=>signKafkaToken({kid:'a',privateKey} as any,{iss:'a',sub:'b',aud:'c',iat:1,exp:2,jti:'c',lease:'d'}))
await bench('send',(i)=>send(e[i%500]))
}
process.exit()
