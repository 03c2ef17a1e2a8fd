// The process of the simulated MSK control plane. Its options, which hold the clusters' admin passwords, come in a file.
import { readFileSync } from 'node:fs'
import { startMskControlPlane } from './control-plane.ts'

const { MSK_OPTIONS_FILE = '' } = process.env

await startMskControlPlane(JSON.parse(readFileSync(MSK_OPTIONS_FILE, 'utf8')))
