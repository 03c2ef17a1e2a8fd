/** One holder at a time across processes, and a dead holder never blocks. Plain JavaScript: an old Node reads it. */
import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const bootId = () => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** When a process started, in words that no later process with the same id can repeat; undefined when it is gone. */
export const processStart = (pid) => {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      // A zombie has ended; only its parent has not looked yet.
      return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${bootId()}/${fields[19]}`
    }
    const line = execFileSync('ps', ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '')
  } catch {
    return undefined
  }
}

export const isRunning = ({ pid, startedAt }) => processStart(pid) === startedAt

export const thisProcess = () => ({ pid: process.pid, startedAt: processStart(process.pid) ?? '' })

const read = (path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** Takes the lock, or says who holds it. */
export const tryLock = (path) => {
  mkdirSync(dirname(path), { recursive: true })
  const me = thisProcess()
  const mine = `${path}.${me.pid}`
  writeFileSync(mine, JSON.stringify(me), { mode: 0o600 })
  try {
    for (;;) {
      try {
        // A link appears with its content or not at all, so nobody reads half a lock.
        linkSync(mine, path)
        return { release: () => releaseLock(path, me) }
      } catch (error) {
        if (error.code !== 'EEXIST') throw error
      }
      const holder = read(path)
      if (holder !== undefined && isRunning(holder)) return { holder }
      stealLock(path, me)
    }
  } finally {
    rmSync(mine, { force: true })
  }
}

const stealLock = (path, me) => {
  const stale = `${path}.stale-${me.pid}`
  try {
    renameSync(path, stale)
  } catch {
    return
  }
  const taken = read(stale)
  // Accepted race: another process stole it first and what moved is its live lock; it goes back.
  if (taken !== undefined && isRunning(taken)) {
    try {
      linkSync(stale, path)
    } catch {}
  }
  rmSync(stale, { force: true })
}

const releaseLock = (path, me) => {
  const holder = read(path)
  if (holder?.pid === me.pid && holder.startedAt === me.startedAt) rmSync(path, { force: true })
}

/** Runs `work` as the only holder; `onWait` is told once when somebody else has to finish first. */
export const withLock = async (path, onWait, work) => {
  let told = false
  for (;;) {
    const attempt = tryLock(path)
    if (attempt.release) {
      try {
        return await work()
      } finally {
        attempt.release()
      }
    }
    if (!told) onWait(attempt.holder)
    told = true
    await delay(200)
  }
}
