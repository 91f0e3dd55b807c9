import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Schema, type Scope } from "effect"
import { bootId } from "./life.ts"

/** Another speaker runs on this state folder: two of one node would take each other's sessions down. */
export class StateLocked extends Schema.TaggedError<StateLocked>()("StateLocked", {
  path: Schema.String,
  pid: Schema.Int
}) {
  override get message() {
    return (
      `expected to be the only speaker on this state folder, found process ${this.pid} holding ${this.path}; ` +
      "stop that one first, or give this one a LOWTIDE_STATE_DIR of its own"
    )
  }
}

interface Owner {
  readonly pid: number
  /** Since boot, in clock ticks; with the boot it tells two processes of one number apart. */
  readonly startedAtTicks: string
  readonly bootId: string
}

/** Holds the folder for this process until the scope closes. A lock whose process is gone is taken over. */
export const lockState = (folder: string): Effect.Effect<void, StateLocked, Scope.Scope> => {
  const path = join(folder, "lock")
  const text = JSON.stringify(describeProcess(process.pid) ?? { pid: process.pid, startedAtTicks: "", bootId: "" })
  return Effect.acquireRelease(
    Effect.suspend(() => {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const holder = take(path, text)
      return holder === undefined ? Effect.void : Effect.fail(new StateLocked({ path, pid: holder.pid }))
    }),
    // Of a folder that was emptied under this process another may hold a lock by now: that one stays.
    () => Effect.sync(() => readOwner(path)?.text === text && rmSync(path, { force: true }))
  )
}

/** The live process that holds the lock; undefined when it is ours now. */
const take = (path: string, text: string): Owner | undefined => {
  const mine = `${path}.${process.pid}`
  const stale = `${mine}.stale`
  writeFileSync(mine, text)
  try {
    for (;;) {
      if (link(mine, path)) return undefined
      const found = readOwner(path)
      if (found !== undefined && isAlive(found.owner)) return found.owner
      // Renamed, not removed: of two that find the same stale lock one gets it, and if it was replaced meanwhile it goes back.
      if (found === undefined || !rename(path, stale)) continue
      const renamed = readOwner(stale)
      if (renamed !== undefined && renamed.text !== found.text) link(stale, path)
    }
  } finally {
    rmSync(mine, { force: true })
    rmSync(stale, { force: true })
  }
}

const link = (from: string, to: string): boolean => unless("EEXIST", () => linkSync(from, to))
const rename = (from: string, to: string): boolean => unless("ENOENT", () => renameSync(from, to))

const unless = (code: string, act: () => void): boolean => {
  try {
    act()
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === code) return false
    throw cause
  }
}

/** A lock that cannot be read as one belongs to nobody that is alive: it is written whole before it is linked. */
const readOwner = (path: string): { readonly text: string; readonly owner: Owner } | undefined => {
  try {
    const text = readFileSync(path, "utf8")
    try {
      return { text, owner: JSON.parse(text) as Owner }
    } catch {
      return { text, owner: { pid: 0, startedAtTicks: "", bootId: "" } }
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw cause
  }
}

const isAlive = (owner: Owner): boolean => {
  const running = describeProcess(owner.pid)
  if (running === undefined) return false
  return running.startedAtTicks === owner.startedAtTicks && running.bootId === owner.bootId
}

/** From /proc, proc(5): the start time is field 22 of stat, counted behind the name, which may hold spaces. */
const describeProcess = (pid: number): Owner | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return { pid, startedAtTicks: fields[19] ?? "", bootId: bootId() }
  } catch {
    return undefined
  }
}
