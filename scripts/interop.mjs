// `npm run interop [-- ROUTER]`: the tests with real routers. See `--help`.
import { spawn } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const root = fileURLToPath(new URL("..", import.meta.url))
const files = readdirSync(join(root, "test/interop")).filter((file) => file.endsWith(".test.ts"))
const routers = [
  ...new Set(files.flatMap((file) => /-(bird|frr|gobgp|openbgpd|exabgp)\.test\.ts$/.exec(file)?.[1] ?? []))
]
const help = `Runs the native speaker against real routers in network namespaces; needs root.

  npm run interop                    everything below test/interop
  npm run interop -- ROUTER          one of ${routers.sort().join(", ")}
  npm run interop -- --collisions N  both sides of a session meet so often, instead of twice

What is covered stands in docs/reference/interop.md. The last line is \`N passed, N failed\`.
`

const { values, positionals } = parseArgs({
  options: { help: { type: "boolean" }, collisions: { type: "string" } },
  allowPositionals: true
})
const [router, ...others] = positionals
const collisions = Number(values.collisions ?? 2)
if (values.help) process.stdout.write(help)
else if (others.length > 0 || (router !== undefined && !routers.includes(router))) {
  process.stderr.write(`expected one of ${routers.join(", ")}, found ${positionals.join(" ")}\n`)
  process.exitCode = 2
} else if (!Number.isInteger(collisions) || collisions < 1) {
  process.stderr.write(`--collisions: expected a whole number above 0, found ${values.collisions}\n`)
  process.exitCode = 2
} else {
  const chosen = files.filter((file) => router === undefined || file.endsWith(`-${router}.test.ts`))
  const args = [join(root, "scripts/test.mjs"), ...chosen.map((file) => `test/interop/${file}`)]
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, LOWTIDE_INTEROP_COLLISIONS: String(collisions) }
  })
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal))
  process.exitCode = await new Promise((resolve) => child.on("close", (code) => resolve(code ?? 1)))
}
