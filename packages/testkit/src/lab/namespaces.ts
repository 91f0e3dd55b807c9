import { randomBytes } from "node:crypto"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { execute } from "./execute.ts"
import { LabError } from "./lab-error.ts"
import { forgetOwner, listFolder, orphans, recordOwner } from "./owner.ts"
import { waitUntil } from "./wait.ts"

/** A set of network namespaces with one prefix, and a folder for what runs in them. Both end with the scope. */
export interface Lab {
  /** `lt` and eight hexadecimal digits, which no other lab has; a namespace is called PREFIX-NAME. */
  readonly prefix: string
  readonly folder: string
  /** Makes a namespace with `lo` up and answers its full name. */
  readonly addNamespace: (name: string, settings?: ReadonlyArray<Sysctl>) => Effect.Effect<string, LabError>
}

/** A kernel setting below /proc/sys/net, as `ipv4/ip_forward`, and its value. */
export type Sysctl = readonly [path: string, value: string | number]

/** Whether network namespaces can be made here, and if not, why. */
export type Capability = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** Tries it: makes two namespaces with a veth pair between them, and takes them away again. */
export const capability: Effect.Effect<Capability> = Effect.gen(function* () {
  if (process.getuid?.() !== 0) return { ok: false, reason: "network namespaces need root" } as const
  const name = `ltcap-${randomBytes(3).toString("hex")}`
  const trial = ipBatch([
    `netns add ${name}-1`,
    `netns add ${name}-2`,
    `link add t1 netns ${name}-1 type veth peer name t2 netns ${name}-2`
  ])
  const remove = Effect.forEach([1, 2], (index) => Effect.ignore(execute(["ip", "netns", "del", `${name}-${index}`])))
  return yield* trial.pipe(
    Effect.as({ ok: true } as const),
    Effect.catch(({ detail }) => {
      const reason = `network namespaces cannot be made here: ${detail.split("\n")[0]}`
      return Effect.succeed({ ok: false, reason } as const)
    }),
    Effect.ensuring(remove)
  )
})

/** Makes a lab. Whatever was added to it is taken away when the scope closes, also when only half of it was made. */
export const makeLab = (options: { readonly folder?: string } = {}): Effect.Effect<Lab, LabError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: (): Lab => {
        const folder = options.folder ?? mkdtempSync(join(tmpdir(), "lowtide-lab-"))
        chmodSync(folder, 0o711) // FRR reads its part of it as a user of its own
        const prefix = `lt${randomBytes(4).toString("hex")}`
        recordOwner({ prefix, folder: options.folder === undefined ? folder : "" })
        return { prefix, folder, addNamespace: (name, settings) => addNamespace(`${prefix}-${name}`, settings) }
      },
      catch: (cause) => new LabError({ operation: "make a lab", detail: String(cause) })
    }),
    (lab) => removeLab(lab.prefix, options.folder === undefined ? lab.folder : "")
  )

/** Removes the labs whose owner is gone, with the processes in them. Answers their prefixes. */
export const cleanStale: Effect.Effect<ReadonlyArray<string>> = Effect.suspend(() =>
  Effect.forEach(orphans(), (owner) => Effect.as(removeLab(owner.prefix, owner.folder), owner.prefix))
)

/** Many `ip` commands in one process; stops at the first that fails. With `namespace`, all of them in it. */
export const ipBatch = (lines: ReadonlyArray<string>, namespace?: string): Effect.Effect<string, LabError> =>
  execute(["ip", ...(namespace === undefined ? [] : ["-n", namespace]), "-batch", "-"], {
    input: `${lines.join("\n")}\n`
  })

/** Sets kernel settings of a namespace. */
export const setSysctls = (namespace: string, settings: ReadonlyArray<Sysctl>): Effect.Effect<void, LabError> =>
  Effect.asVoid(
    execute(["sh", "-e"], {
      namespace,
      input: settings.map(([path, value]) => `echo ${value} > /proc/sys/net/${path}\n`).join("")
    })
  )

/** The names of the namespaces of a prefix, from the folder where iproute2 keeps them. */
export const namespacesOf = (prefix: string): ReadonlyArray<string> =>
  listFolder("/run/netns").filter((name) => name.startsWith(`${prefix}-`))

const addNamespace = Effect.fnUntraced(function* (namespace: string, settings: ReadonlyArray<Sysctl> = []) {
  yield* execute(["ip", "netns", "add", namespace])
  yield* ipBatch(["link set lo up"], namespace)
  // No duplicate address detection: an address can be bound from the moment it is there. No strict reverse path check.
  yield* setSysctls(namespace, [
    ["ipv6/conf/all/accept_dad", 0],
    ["ipv6/conf/default/accept_dad", 0],
    ["ipv6/conf/all/accept_ra", 0],
    ["ipv6/conf/default/accept_ra", 0],
    ["ipv4/conf/all/rp_filter", 0],
    ["ipv4/conf/default/rp_filter", 0],
    ...settings
  ])
  return namespace
})

const removeLab = (prefix: string, folder: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    const namespaces = namespacesOf(prefix)
    yield* Effect.forEach(namespaces, (namespace) => Effect.ignore(killAllIn(namespace)))
    yield* Effect.forEach(namespaces, (namespace) => Effect.ignore(execute(["ip", "netns", "del", namespace])))
    if (namespacesOf(prefix).length > 0) return // the record stays, so that the next `cleanStale` tries again
    yield* Effect.sync(() => {
      if (folder !== "") rmSync(folder, { recursive: true, force: true })
      forgetOwner(prefix)
    })
  })

const killAllIn = (namespace: string): Effect.Effect<void, LabError> => {
  const pids = execute(["ip", "netns", "pids", namespace]).pipe(
    Effect.map((text) => text.split("\n").filter((line) => line !== ""))
  )
  const kill = Effect.map(pids, (found) => {
    for (const pid of found) {
      try {
        process.kill(Number(pid), "SIGKILL")
      } catch {} // it ended by itself
    }
    return found.length === 0
  })
  return waitUntil(`no process is left in ${namespace}`, kill, { deadlineMs: 5_000 })
}
