import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/**
 * Who owns a lab. Namespaces outlive a process that was killed; the record lets the next one tell its own from others'.
 * `startTime` is field 22 of /proc/PID/stat, so that a pid given to another process does not look like the owner.
 */
export interface LabOwner {
  readonly prefix: string
  readonly pid: number
  readonly startTime: string
  readonly folder: string
}

const recordsFolder = "/run/lowtide/labs"

/** Writes the record of a lab that this process is about to make. */
export const recordOwner = (lab: { readonly prefix: string; readonly folder: string }): void => {
  mkdirSync(recordsFolder, { recursive: true })
  const owner: LabOwner = { ...lab, pid: process.pid, startTime: startTimeOf(process.pid) ?? "" }
  writeFileSync(join(recordsFolder, `${lab.prefix}.json`), JSON.stringify(owner), { flag: "wx" })
}

/** Removes the record: nothing of the lab is left. */
export const forgetOwner = (prefix: string): void => rmSync(join(recordsFolder, `${prefix}.json`), { force: true })

/** The labs whose owner is gone. A record that cannot be read is passed over. */
export const orphans = (): ReadonlyArray<LabOwner> => {
  const owners: Array<LabOwner> = []
  for (const file of listFolder(recordsFolder)) {
    try {
      owners.push(JSON.parse(readFileSync(join(recordsFolder, file), "utf8")))
    } catch {}
  }
  return owners.filter((owner) => startTimeOf(owner.pid) !== owner.startTime)
}

/** The names in a folder; none when there is no such folder. */
export const listFolder = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const startTimeOf = (pid: number): string | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] // the name before it may hold spaces and parentheses
  } catch {
    return undefined
  }
}
