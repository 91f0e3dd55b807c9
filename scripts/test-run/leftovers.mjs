import { randomUUID } from "node:crypto"
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs"

/** The variable that every process of a run inherits; the lab hands it on to what it starts. */
const variable = "LOWTIDE_TEST_RUN"

/** Marks a run, and remembers which namespaces were there before it. */
export const markRun = () => {
  const value = randomUUID()
  return { value, environment: { [variable]: value }, namespaces: new Set(labNamespaces()) }
}

/**
 * What a run left behind, in words: processes that carry its mark, which are ended, and namespaces of a lab that were not
 * there before, whose owner is not alive, and in which nothing runs that may be someone else's. A process on its way out
 * gets a second.
 */
export const findLeftovers = async (mark) => {
  for (let attempt = 0; attempt < 10 && markedProcesses(mark).length > 0; attempt++)
    await new Promise((resolve) => setTimeout(resolve, 100))
  const processes = markedProcesses(mark)
  for (const { pid } of processes) endProcess(pid)
  const owned = livingLabs()
  const ended = new Set(processes.map(({ pid }) => pid))
  const namespaces = labNamespaces().filter(
    (name) =>
      !mark.namespaces.has(name) && !owned.some((prefix) => name.startsWith(`${prefix}-`)) && !isInUse(name, ended)
  )
  return [
    ...processes.map(({ pid, name }) => `a test left the process ${pid} (${name}) behind`),
    ...namespaces.map((name) => `a test left the network namespace ${name} behind`)
  ]
}

const markedProcesses = (mark) =>
  list("/proc").flatMap((entry) => {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) return []
    const environment = read(`/proc/${pid}/environ`).split("\0")
    return environment.includes(`${variable}=${mark.value}`) ? [{ pid, name: read(`/proc/${pid}/comm`).trim() }] : []
  })

const endProcess = (pid) => {
  try {
    process.kill(pid, "SIGKILL")
  } catch {} // it ended by itself
}

const labNamespaces = () => list("/run/netns").filter((name) => name.startsWith("lt"))

/** Whether a process other than those just ended runs in a namespace. A namespace is one by its inode. */
const isInUse = (name, ended) => {
  const inode = statSync(`/run/netns/${name}`, { throwIfNoEntry: false })?.ino
  return list("/proc").some((pid) => {
    if (!/^\d+$/.test(pid) || ended.has(Number(pid))) return false
    try {
      return readlinkSync(`/proc/${pid}/ns/net`) === `net:[${inode}]`
    } catch {
      return false
    }
  })
}

/** The prefixes of labs that belong to a living process, of this run or of another one beside it. */
const livingLabs = () =>
  list("/run/lowtide/labs").flatMap((file) => {
    try {
      const { pid, prefix } = JSON.parse(read(`/run/lowtide/labs/${file}`))
      return read(`/proc/${pid}/stat`) === "" ? [] : [prefix]
    } catch {
      return []
    }
  })

const list = (folder) => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const read = (file) => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}
