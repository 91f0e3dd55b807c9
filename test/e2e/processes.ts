import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startProcess } from "@lowtide/testkit/lab/processes"
import { Effect } from "effect"
import { bundled } from "../../scripts/bundle.mjs"

const programs = new Map(
  await Promise.all(
    ["allocator", "agent", "speaker", "cli"].map(async (service) => [service, await bundled(service)] as const)
  )
)

/** The program of a service, bundled: it starts in a third of the time that the sources take. */
export const mainOf = (service: string): string => {
  const file = programs.get(service)
  if (file === undefined) throw new Error(`expected a service that is bundled, found ${service}`)
  return file
}

/** A folder of a test, which goes with the scope, and files in it, by their paths. */
export const testFolder = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), `lowtide-${name}-`))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  ).pipe(
    Effect.map((folder) => ({
      folder,
      file: (name: string, text: string) => {
        writeFileSync(join(folder, name), text)
        return join(folder, name)
      }
    }))
  )

export type TestFolder = Effect.Success<ReturnType<typeof testFolder>>

/** One command line in a process of its own. */
export const runLowtide = (env: Readonly<Record<string, string>>, args: ReadonlyArray<string>) =>
  Effect.promise(
    () =>
      new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve) => {
        const child = spawn(process.execPath, [mainOf("cli"), ...args], { env: { ...env, NO_COLOR: "1" } })
        let out = ""
        let err = ""
        child.stdout.on("data", (chunk) => (out += chunk))
        child.stderr.on("data", (chunk) => (err += chunk))
        child.on("close", (code) => resolve({ code, out, err }))
      })
  )

/** An allocator that signs by `k1` and listens on `api.sock` of the folder. */
export const startAllocator = (
  { folder, file }: TestFolder,
  given: { readonly databaseUrl: string; readonly natsUrl: string; readonly privatePem: string }
) =>
  startProcess({
    name: "allocator",
    command: [process.execPath, mainOf("allocator")],
    logFile: join(folder, "allocator.log"),
    env: {
      DATABASE_URL: given.databaseUrl,
      LOWTIDE_NATS_URL: given.natsUrl,
      LOWTIDE_SIGNING_KEY_FILE: file("key.pem", given.privatePem),
      LOWTIDE_SIGNING_KEY_ID: "k1",
      LOWTIDE_HTTP_LISTEN: `unix:${join(folder, "api.sock")}`
    }
  })
