import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { vtyCommands } from "./frr-vty.ts"
import { LabError } from "./lab-error.ts"
import { type LabProcess, startReady } from "./processes.ts"

/** FRR's daemons that are used here. `zebra` joins the others, and is started before them. */
export type FrrDaemon = "zebra" | "bfdd" | "bgpd"

/** Where daemons of one FRR run: their configurations, sockets and logs are in the folder, which user `frr` must be able to reach. */
export interface FrrPlace {
  readonly folder: string
  readonly namespace: string
}

/** Starts daemons in the order in which they stand, as user `frr`, each with its configuration. */
export const startFrrDaemons = <Daemon extends FrrDaemon>(
  place: FrrPlace,
  configurations: Readonly<Record<Daemon, string>>
): Effect.Effect<Readonly<Record<Daemon, LabProcess>>, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    const started: Partial<Record<Daemon, LabProcess>> = {}
    yield* prepare(place, configurations)
    for (const daemon in configurations) started[daemon] = yield* startDaemon(place, daemon)
    return started as Record<Daemon, LabProcess>
  })

/** Commands to a daemon, in order, and the answer to each. */
export const askFrr = ({ folder }: Pick<FrrPlace, "folder">, daemon: FrrDaemon, ...commands: ReadonlyArray<string>) =>
  Effect.map(vtyCommands(join(folder, `${daemon}.vty`), ["enable", ...commands]), (answers) => answers.slice(1))

/** The daemons drop to user `frr`, so the folder and what they read must be theirs. An old socket would look like a start. */
const prepare = (
  { folder }: FrrPlace,
  configurations: { readonly [Daemon in FrrDaemon]?: string }
): Effect.Effect<void, LabError> =>
  Effect.try({
    try: () => {
      const [, , uid = "", gid = ""] = /^frr:.*$/m.exec(readFileSync("/etc/passwd", "utf8"))?.[0].split(":") ?? []
      mkdirSync(folder, { recursive: true })
      rmSync(join(folder, "zserv.api"), { force: true })
      for (const [daemon, text] of Object.entries(configurations)) {
        const file = join(folder, `${daemon}.conf`)
        rmSync(join(folder, `${daemon}.vty`), { force: true })
        writeFileSync(file, text)
        chownSync(file, Number(uid), Number(gid))
      }
      chownSync(folder, Number(uid), Number(gid))
    },
    catch: (cause) => new LabError({ operation: "prepare FRR's folder", detail: String(cause) })
  })

/** Ready when the vty answers: bgpd started before zebra listens would come up without the kernel. */
const startDaemon = ({ folder, namespace }: FrrPlace, daemon: FrrDaemon) => {
  const file = (suffix: string) => join(folder, `${daemon}.${suffix}`)
  return startReady(
    {
      name: daemon,
      namespace,
      command: [`/usr/lib/frr/${daemon}`, "-f", file("conf"), "-i", file("pid"), "--log", "stdout"]
        .concat(["--vty_socket", folder, "-z", join(folder, "zserv.api"), "-P", "0", "-u", "frr", "-g", "frr"])
        .concat(daemon === "bfdd" ? ["--bfdctl", join(folder, "bfdd.sock")] : []),
      logFile: file("log")
    },
    () => Effect.as(vtyCommands(file("vty"), ["show version"]), true)
  )
}
