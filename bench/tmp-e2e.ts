import { generateKeyPair, SignJWT, jwtVerify } from 'jose'
import { createMemoryLeaseStore } from '../shared/store/memory.ts'
import { startLoopbackIssuer } from './loopback-issuer.ts'
import { ask, bodyOf, createReadyAccessStore, eventOf, startResolveHandler, teamOf } from './resolve-handler.ts'
const issuer = await startLoopbackIssuer()
const send = await startResolveHandler(issuer.issuer,{access: await createReadyAccessStore(500),leases: createMemoryLeaseStore()})
const cpu=()=>{const u=process.cpuUsage();return u.user+u.system}
const { privateKey } = await generateKeyPair('ES256')
const bench=async(n,f,k=300)=>{let best=1e9;for(let r=0;r<25;r++){const t=cpu();for(let i=0;i<k;i++)await f(i+r*k);const e=(cpu()-t)/k; best=Math.min(best,e)} console.error(n.padEnd(30),best.toFixed(2))}
const toks=[];for(let i=0;i<7500*2;i++){const c=i%500;toks.push([issuer.mint({sub:`service-${c}`,team:teamOf(c)}),bodyOf({caller:c,instance:'f'+i})])}
const s=toks.slice(0,500).map(([t],i)=>eventOf(t,bodyOf({caller:i,instance:'s'+i})))
for(let k=0;k<2;k++){
await bench('jose sign',()=>new SignJWT({ sub: 'sb.service', lease: 'lease_00000000000000000000000000000000' }).setProtectedHeader({ alg: 'ES256', kid: 'key', typ: 'JWT' }).sign(privateKey))
await bench('jose verify',(i)=>jwtVerify(toks[i][0], issuer.publicKey, { issuer: issuer.issuer, audience: 'switchboard' }))
await bench('seen',(i)=>send(s[i%500]))
await bench('event',(i)=>eventOf(...toks[i]))
await bench('first',(i)=>send(eventOf(...toks[i+k*7500])))
}
process.exit()
