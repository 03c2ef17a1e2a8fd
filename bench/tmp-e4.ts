import { createMemoryLeaseStore } from '../shared/store/memory.ts'
import { startLoopbackIssuer } from './loopback-issuer.ts'
import { bodyOf, createReadyAccessStore, eventOf, startResolveHandler, teamOf } from './resolve-handler.ts'
const issuer = await startLoopbackIssuer()
const send = await startResolveHandler(issuer.issuer,{access: await createReadyAccessStore(500),leases: createMemoryLeaseStore()})
const toks=[];for(let i=0;i<500;i++){const c=i%500;toks.push([issuer.mint({sub:`service-${c}`,team:teamOf(c)}),bodyOf({caller:c,instance:'f'+i})])}
const cpu=()=>{const u=process.cpuUsage();return u.user+u.system}
const e=toks.map(([t,b])=>eventOf(t,b))
let l=''
for(let r=0;r<24;r++){const t=cpu();for(let i=0;i<2500;i++)await send(e[i%500]);l+=' '+((cpu()-t)/2500).toFixed(0)}
console.error(l)
process.exit()
