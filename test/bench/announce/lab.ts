import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { inNamespace, ipBatch, makeLab, setSysctls } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import type { SenderName } from "./senders.ts"

/** Where a sender runs, and whom it speaks to: one address at each end for each session, since a BIRD has one with an address. */
export interface SenderPlace {
  readonly name: SenderName
  readonly folder: string
  readonly namespace: string
  /** The receiver's interface to it. */
  readonly device: string
  readonly address: string
  readonly asn: number
  readonly sessions: ReadonlyArray<{ readonly router: string; readonly local: string }>
  readonly start: (command: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => ChildProcess
}

/** A router's namespace, joined by a veth each to a namespace for every sender. All of it goes with the scope. */
export interface AnnounceLab {
  readonly folder: string
  readonly router: string
  readonly startInRouter: SenderPlace["start"]
  readonly places: ReadonlyArray<SenderPlace>
}

export const routerAsn = 64500

export const makeAnnounceLab = Effect.fnUntraced(function* (senders: ReadonlyArray<SenderName>, sessions: number) {
  const lab = yield* makeLab()
  const router = yield* lab.addNamespace("router")
  const children: Array<ChildProcess> = []
  yield* Effect.addFinalizer(() => Effect.promise(() => Promise.all(children.map(end))))
  const startIn =
    (namespace: string): SenderPlace["start"] =>
    (command, env = {}) => {
      const [file = "", ...args] = inNamespace(namespace, ["setpriv", "--pdeathsig", "KILL", ...command])
      const child = spawn(file, args, { stdio: ["pipe", "pipe", "ignore"], env: { ...process.env, ...env } })
      children.push(child)
      return child
    }
  const places: Array<SenderPlace> = []
  for (const [index, name] of senders.entries()) {
    const namespace = yield* lab.addNamespace(name)
    const [network, device] = [`192.0.2.${index * 16}`, `up${index}`]
    const ends = Array.from({ length: sessions }, (_, session) => ({
      router: `192.0.2.${index * 16 + 1 + session}`,
      local: `192.0.2.${index * 16 + 14 - session}`
    }))
    const address = `192.0.2.${index * 16 + 14}`
    yield* ipBatch([`link add ${device} netns ${router} type veth peer name up0 netns ${namespace}`])
    yield* ipBatch([...ends.map(({ local }) => `address add ${local}/28 dev up0`), "link set up0 up"], namespace)
    yield* ipBatch(
      [
        ...ends.map(({ router: own }) => `address add ${own}/28 dev ${device}`),
        `link set ${device} up`,
        // BIRD sends with Nagle's algorithm, so a delayed acknowledgement would add 40 ms to every other of its runs.
        `route replace ${network}/28 dev ${device} scope link src 192.0.2.${index * 16 + 1} quickack 1`
      ],
      router
    )
    const folder = join(lab.folder, name)
    yield* Effect.promise(() => mkdir(folder))
    places.push({
      name,
      folder,
      namespace,
      device,
      address,
      asn: 64501 + index,
      sessions: ends,
      start: startIn(namespace)
    })
  }
  yield* setSysctls(router, [["ipv4/tcp_max_syn_backlog", 256]])
  const made: AnnounceLab = { folder: lab.folder, router, startInRouter: startIn(router), places }
  return made
})

/** SIGKILL, and wait until the process is gone. */
export const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill("SIGKILL")
  await once(child, "exit")
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks until it is so; what fails counts as not yet. */
export const until = async (what: string, test: () => Promise<boolean>, deadlineMs = 60_000): Promise<void> => {
  for (const deadline = performance.now() + deadlineMs; ; await pause(20)) {
    if (await test().catch(() => false)) return
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
  }
}

/** 10.0.0.0 and so on. */
export const hostAddress = (index: number): string =>
  [24, 16, 8, 0].map((shift) => ((firstAddress + index) >>> shift) & 255).join(".")

export const firstAddress = 0x0a00_0000
/** A route that no table has before it is announced alone. */
export const singleRoute = "172.16.0.1/32"
