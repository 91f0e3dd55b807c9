import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, type Scope } from "effect"
import { build } from "esbuild"

const run = promisify(execFile)

/**
 * Puts a script of this folder into one file, as services are run, and answers how long a process of it takes from its beginning
 * until it prints that, ms.
 */
export const startedFrom = (
  script: string
): Effect.Effect<(env: NodeJS.ProcessEnv) => Effect.Effect<number>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-bench-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
    )
    const outfile = join(folder, "main.mjs")
    yield* Effect.promise(() =>
      build({
        ...{ entryPoints: [join(import.meta.dirname, script)], outfile, bundle: true, platform: "node", format: "esm" },
        ...{ target: "node24", external: ["koffi", "pg-native"], logLevel: "silent" },
        banner: { js: 'import{createRequire as r}from"node:module";const require=r(import.meta.url);' }
      })
    )
    return (env) =>
      Effect.map(
        Effect.promise(() => run(process.execPath, [outfile], { env })),
        ({ stdout }) => Number(stdout)
      )
  })
