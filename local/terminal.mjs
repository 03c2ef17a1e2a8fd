/** Steps as lines with a tick and a time; what runs now shows that it runs. Plain JavaScript: an old Node reads it. */

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const firstReminderMs = 10_000
const nextReminderMs = 20_000

export const renderSeconds = (milliseconds) => {
  const seconds = milliseconds / 1000
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}

export const createTerminal = (out = process.stdout) => {
  // A reader that left (`npm start | head`) must not end a run that has processes to stop.
  out.on('error', () => {})
  const live = out.isTTY === true
  const colour = live && !process.env.NO_COLOR
  const paint = (code, text) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const active = new Set()
  let frame = 0
  let timer
  let shown = false

  const clear = () => {
    if (shown) out.write('\r\u001b[K')
    shown = false
  }
  const draw = () => {
    if (!live || active.size === 0) return
    frame = (frame + 1) % frames.length
    const parts = [...active].map((step) => `${step.name} ${renderSeconds(Date.now() - step.startedAt)}`)
    const text = `${frames[frame]} ${parts.join(' · ')}`
    out.write(`\r\u001b[K${paint(36, text.slice(0, (out.columns || 80) - 1))}`)
    shown = true
  }
  const tick = () => {
    if (live) return draw()
    for (const step of active) {
      if (Date.now() < step.remindAt) continue
      step.remindAt = Date.now() + nextReminderMs
      out.write(`… ${step.name} goes on (${renderSeconds(Date.now() - step.startedAt)})\n`)
    }
  }
  const line = (text = '') => {
    clear()
    out.write(`${text}\n`)
    draw()
  }
  const row = (mark, code, name, detail) => line(`${paint(code, mark)} ${name.padEnd(58)} ${paint(2, detail)}`)
  const finish = (step, mark, code) => {
    active.delete(step)
    if (active.size === 0) clearInterval(timer)
    row(mark, code, step.name, renderSeconds(Date.now() - step.startedAt))
  }

  const step = async (name, run) => {
    const now = Date.now()
    const entry = { name, startedAt: now, remindAt: now + firstReminderMs }
    if (active.size === 0) {
      timer = setInterval(tick, live ? 100 : 1000)
      timer.unref()
    }
    active.add(entry)
    draw()
    try {
      const result = await run()
      finish(entry, '✔', 32)
      return result
    } catch (error) {
      // An error that another step has already claimed only stopped this one.
      const isOwn = error instanceof Error && error.step === undefined && error.name !== 'Stopped'
      if (isOwn) error.step = name
      finish(entry, isOwn ? '✖' : '-', isOwn ? 31 : 2)
      throw error
    }
  }

  const done = (name, detail) => row('✔', 32, name, detail)
  const fail = (text) => line(`${paint(31, '✖')} ${text}`)
  const title = (text) => line(paint(1, text))
  return { step, line, done, fail, title }
}
