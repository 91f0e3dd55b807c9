// `npm test`: every test of the project in one run of vitest. Stdout ends with `N passed, N failed`. See `--help`.
import { spawn, spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { missingFor } from "./setup/programs.mjs"
import { findLeftovers, markRun } from "./test-run/leftovers.mjs"
import { parseTally, sumUp } from "./test-run/tally.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const help = `Runs the tests.

  npm test [-- VITEST-ARGUMENTS]      as: npm test -- packages/net, npm test -- --project unit

  unit       packages and services by themselves
  live       with a PostgreSQL and a NATS that the tests start
  loopback   whole processes over loopback addresses, as any user
  system     network namespaces and real routers, as root

Where namespaces cannot be made, a run of everything leaves the system tier out; each file of it counts as failed, and
the reason is printed. A process or namespace that a test leaves behind counts as failed. A skipped test counts as failed
when CI=true. Exits 0 when nothing failed.
`

const args = process.argv.slice(2)
if (args.includes("--help")) process.stdout.write(help)
else if (Number(process.versions.node.split(".")[0]) < 24) {
  process.stderr.write("this needs the Node that the project brings: run it as `npm test`\n")
  process.exitCode = 2
} else process.exitCode = await runTests(args)

async function runTests(vitestArgs) {
  const isWhole = vitestArgs.length === 0
  const reason = isWhole ? await whyNoNamespaces() : undefined
  const leftOut = reason === undefined ? [] : systemFiles()
  const tiers = reason === undefined ? [] : ["unit", "live", "loopback"].flatMap((tier) => ["--project", tier])
  const mark = markRun()
  const run = await runVitest([...tiers, ...vitestArgs], mark.environment)
  const faults = [
    ...leftOut.map((file) => `${file} was left out: ${reason}`),
    ...(await findLeftovers(mark)),
    ...(run.tally === undefined ? [`vitest ended with exit code ${run.code} and no count of tests`] : [])
  ]
  for (const fault of faults) process.stdout.write(`FAILED ${fault}\n`)
  const isRoot = process.getuid?.() === 0
  const missing = isWhole ? missingFor("test", { isRoot }) : []
  if (missing.length > 0) process.stdout.write(`These programs are missing: ${missing.join(", ")}\n`)
  const result = sumUp({ run, faults: faults.length, skipFails: process.env.CI === "true" })
  process.stdout.write(`${result.line}\n`)
  return result.exitCode
}

/** Passes vitest's output on as it comes, except for the last line, which is not the last word yet. */
function runVitest(vitestArgs, environment) {
  const vitest = join(root, "node_modules/vitest/vitest.mjs")
  const colour = process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}
  const child = spawn(process.execPath, [vitest, "run", ...vitestArgs], {
    cwd: root,
    stdio: ["inherit", "pipe", "inherit"],
    // Hundreds of processes of ours start in a run: each compiles what none has before.
    env: { NODE_COMPILE_CACHE: join(root, "node_modules/.cache/node"), ...process.env, ...colour, ...environment }
  })
  const stopWithVitest = () => undefined // a Ctrl-C reaches vitest as well; the leftovers are looked for all the same
  process.on("SIGINT", stopWithVitest).on("SIGTERM", () => child.kill("SIGTERM"))
  let held = ""
  child.stdout.setEncoding("utf8").on("data", (text) => {
    const lines = (held + text).split("\n")
    held = lines.slice(-2).join("\n") // the last whole line and what has begun after it
    if (lines.length > 2) process.stdout.write(`${lines.slice(0, -2).join("\n")}\n`)
  })
  return new Promise((resolve) => {
    child.on("close", (code) => {
      const tally = parseTally(held.trim())
      if (tally === undefined) process.stdout.write(held)
      resolve({ code: code ?? 1, tally })
    })
  })
}

async function whyNoNamespaces() {
  const program = `const { capability } = await import("@lowtide/testkit/lab/index"); const { Effect } = await import("effect")
    console.log(JSON.stringify(await Effect.runPromise(capability)))`
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    cwd: join(root, "scripts"),
    encoding: "utf8"
  })
  try {
    return JSON.parse(stdout).reason
  } catch {
    return stderr.trim() || "it cannot be found out"
  }
}

function systemFiles() {
  return ["interop", "e2e"].flatMap((folder) => {
    const files = readdirSync(join(root, "test"), { withFileTypes: true }).some((entry) => entry.name === folder)
      ? readdirSync(join(root, "test", folder), { recursive: true })
      : []
    return files
      .filter((file) => file.endsWith(".test.ts") && !file.endsWith(".loopback.test.ts"))
      .map((file) => `test/${folder}/${file}`)
  })
}
