/** Runs one benchmark and checks what it prints. See `--help`. */
import { spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { benchmarksIn, lineFault } from "./bench/benchmarks.ts"

const root = join(import.meta.dirname, "..")
const help = `Runs a benchmark, {packages,services}/*/bench/NAME.ts or test/bench/NAME.ts.

  npm run bench                     the names
  npm run -s bench -- NAME [ARGS]   run one; stdout has one JSON object a line and nothing else:
      {"bench","figure","value","unit","baseline","baselineName","ratio"}

The baseline is measured in the same run. Exits 1 when the benchmark fails, prints something else, or prints nothing.
`

const [name, ...args] = process.argv.slice(2)
const benchmarks = benchmarksIn(root)

if (name === "--help") process.stdout.write(help)
else if (name === undefined) for (const known of benchmarks.keys()) console.log(known)
else if (!benchmarks.has(name)) {
  console.error(`no benchmark is called ${name}; there is: ${[...benchmarks.keys()].join(", ") || "none"}`)
  process.exitCode = 2
} else process.exitCode = await run(benchmarks.get(name) ?? "")

async function run(file: string): Promise<number> {
  const child = spawn(process.execPath, [join(root, file), ...args], {
    cwd: root,
    stdio: ["inherit", "pipe", "inherit"]
  })
  const exit = new Promise<number>((resolve) => child.on("exit", (code) => resolve(code ?? 1)))
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal))
  let figures = 0
  let faults = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const fault = lineFault(line)
    if (fault === undefined) {
      console.log(line)
      figures += 1
    } else {
      console.error(`${file}: ${fault}: ${line}`)
      faults += 1
    }
  }
  if (figures === 0) console.error(`${file} printed no figure`)
  const code = await exit
  return code !== 0 ? code : figures > 0 && faults === 0 ? 0 : 1
}
