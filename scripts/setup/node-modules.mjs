import { spawnSync } from "node:child_process"
import { readFileSync, statSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const projectRoot = fileURLToPath(new URL("../..", import.meta.url)) // import.meta.dirname is not in every Node 20

/** Runs `npm ci` unless node_modules is what package-lock.json says. Answers whether it is now. */
export const ensureNodeModules = (root = projectRoot) => {
  if (isCurrent(root)) return true
  process.stderr.write("setup: npm ci\n")
  // The npm that runs this, on the Node that npm itself runs on: the one in node_modules is about to be replaced.
  const npm = process.env.npm_execpath
  const [file, ...args] = npm === undefined ? ["npm"] : [process.env.npm_node_execpath ?? process.execPath, npm]
  const { status } = spawnSync(file, [...args, "ci", "--loglevel=error"], { cwd: root, stdio: ["ignore", 2, 2] })
  if (status !== 0) process.stderr.write("setup: npm ci failed\n")
  return status === 0
}

/**
 * Whether node_modules holds what the lockfile says. npm leaves a record of what it installed; when that is older than the
 * lockfile (a checkout renews the date of a file that did not change) the two are compared, entry by entry.
 */
export const isCurrent = (root) => {
  const lockFile = join(root, "package-lock.json")
  const recordFile = join(root, "node_modules/.package-lock.json")
  try {
    if (statSync(recordFile).mtimeMs >= statSync(lockFile).mtimeMs) return true
    const locked = JSON.parse(readFileSync(lockFile, "utf8")).packages
    const installed = JSON.parse(readFileSync(recordFile, "utf8")).packages
    if (!agrees(locked, installed)) return false
    const now = new Date()
    utimesSync(recordFile, now, now)
    return true
  } catch {
    return false
  }
}

/** Everything that is locked is installed, in that version, save what is optional and meant for another platform. */
const agrees = (locked, installed) =>
  Object.entries(locked).every(([path, entry]) => {
    if (path === "") return true
    const found = installed[path]
    if (found === undefined) return entry.optional === true || entry.devOptional === true
    return found.version === entry.version && found.integrity === entry.integrity
  }) && Object.keys(installed).every((path) => locked[path] !== undefined)
