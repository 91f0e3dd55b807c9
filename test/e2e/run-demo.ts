import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** How a run of the demo ended, and what it said. */
export interface DemoRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the demo to its end, as `npm run demo` does, or until Ctrl-C at the first mention of `interruptAt` on stderr. */
export const runDemo = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
  interruptAt?: string
): Promise<DemoRun> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ["scripts/demo/main.ts", ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env }
    })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk) => {
      stdout += chunk
    })
    child.stderr.on("data", (chunk) => {
      stderr += chunk
      if (interruptAt !== undefined && String(chunk).includes(interruptAt)) child.kill("SIGINT")
    })
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })
