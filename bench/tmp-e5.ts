import { createMemoryLeaseStore } from '../shared/store/memory.ts'
import { startLoopbackIssuer } from './loopback-issuer.ts'
import { bodyOf, createReadyAccessStore, eventOf, startResolveHandler, teamOf } from './resolve-handler.ts'
import { signKafkaToken } from '../shared/secrets/kafka-token.ts'
import { generateKeyPairSync } from 'node:crypto'
const {privateKey}=generateKeyPairSync('ec',{namedCurve:'P-256'})
const issuer = await startLoopbackIssuer()
const send = await startResolveHandler(issuer.issuer,{access: await createReadyAccessStore(500),leases: createMemoryLeaseStore()})
const toks=[];for(let i=0;i<500;i++){const c=i%500;toks.push([issuer.mint({sub:`service-${c}`,team:teamOf(c)}),bodyOf({caller:c,instance:'f'+i})])}
const cpu=()=>{const u=process.cpuUsage();return u.user+u.system}
const e=toks.map(([t,b])=>eventOf(t,b))
const tok=()=>signKafkaToken({kid:'a',privateKey} as any,{iss:'a',sub:'b',aud:'c',iat:1,exp:2,jti:'c',lease:'d'})
const med=a=>a.sort((x,y)=>x-y)[a.length>>1].toFixed(1)
for(let k=0;k<3;k++){
const a=[],b=[],c=[]
for(let i=0;i<3000;i++){let t=performance.now();await send(e[i%500]);c.push(1000*(performance.now()-t));t=performance.now();tok();a.push(1000*(performance.now()-t));t=performance.now();tok();b.push(1000*(performance.now()-t))}
console.error('send',med(c),'token after send',med(a),'token again',med(b))}
process.exit()
