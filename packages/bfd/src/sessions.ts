import { randomInt } from "node:crypto"
import { SocketFault } from "@lowtide/sockets"
import * as Result from "effect/Result"
import { type Path, pathKey, type SessionIndex, selectSession } from "./machine/demultiplex.ts"
import { decodeControlPacket } from "./packet/decode.ts"
import type { DiscardReason } from "./packet/reception.ts"
import { makePorts } from "./ports.ts"
import { type Session, startSession } from "./session.ts"
import { pathOf, type SessionOptions } from "./session-options.ts"
import type { SessionChange, SessionStatus } from "./session-status.ts"

/** Sessions that a node may have; the packet filter of one address takes a few more. */
export const sessionsMax = 256

/** How often it is looked whether an interface was made anew. */
const renewalMs = 1_000

/** All sessions of a node. */
export interface Sessions {
  /** Makes the session of this name, or changes it. A failure is a sentence; the session is then as it was before. */
  readonly set: (name: string, options: SessionOptions) => Result.Result<SessionStatus, string>
  /** Takes the session out of use, tells its peer for as long as that needs, and forgets it. */
  readonly remove: (name: string) => boolean
  /** Names of the sessions that are not about to go. */
  readonly names: () => ReadonlyArray<string>
  readonly status: () => ReadonlyArray<SessionStatus>
  /** Packets that no session could be told of. */
  readonly discarded: () => Readonly<Partial<Record<DiscardReason, number>>>
  /** Removes all, and answers when the last one's peer was told. */
  readonly stop: () => Promise<void>
}

/** What was asked of the kernel, or what it said. */
const asked = <A>(attempt: () => A): Result.Result<A, string> => {
  try {
    return Result.succeed(attempt())
  } catch (cause) {
    if (cause instanceof SocketFault) return Result.fail(cause.message)
    throw cause
  }
}

interface Entry {
  readonly session: Session
  readonly path: Path
  leaving: NodeJS.Timeout | undefined
}

/** Every change of every session is told to `onChange`. */
export const makeSessions = (onChange: (change: SessionChange) => void): Sessions => {
  const byDiscriminator = new Map<number, Entry>()
  const byPath = new Map<string, Entry>()
  const byName = new Map<string, Entry>()
  const index: SessionIndex<Entry> = { byDiscriminator, byPath }
  const discarded: Partial<Record<DiscardReason, number>> = {}
  /** Set when all are to go: then none is made or kept any more. */
  let onEmpty: (() => void) | undefined

  const discard = (reason: DiscardReason, came: Path): void => {
    const entry = byPath.get(pathKey(came))
    if (entry === undefined) discarded[reason] = (discarded[reason] ?? 0) + 1
    else entry.session.discard(reason)
  }

  const ports = makePorts((octets, came) => {
    const packet = decodeControlPacket(octets)
    if (Result.isFailure(packet)) return discard(packet.failure.reason, came)
    const chosen = selectSession(index, packet.success, came)
    if ("_tag" in chosen) return discard(chosen.reason, came)
    chosen.session.receive(packet.success)
  })

  const forget = (entry: Entry): void => {
    clearTimeout(entry.leaving)
    entry.session.close()
    byDiscriminator.delete(entry.session.discriminator)
    byPath.delete(pathKey(entry.path))
    if (byName.get(entry.session.name) === entry) byName.delete(entry.session.name)
    if (byDiscriminator.size === 0) onEmpty?.()
  }

  const newDiscriminator = (): number => {
    for (;;) {
      const discriminator = randomInt(1, 2 ** 32)
      if (!byDiscriminator.has(discriminator)) return discriminator
    }
  }

  const leave = (entry: Entry): void => {
    if (entry.leaving !== undefined) return
    const forMs = entry.session.leave()
    entry.leaving = setTimeout(() => forget(entry), forMs)
  }

  const add = (name: string, options: SessionOptions): Result.Result<SessionStatus, string> => {
    const path = pathOf(options)
    const holder = byPath.get(pathKey(path))
    if (holder !== undefined && holder.leaving === undefined) {
      return Result.fail(`the session ${holder.session.name} has the same addresses, hops and device`)
    }
    if (byDiscriminator.size >= sessionsMax) return Result.fail(`there are ${sessionsMax} sessions, which is the most`)
    const before = byName.get(name)
    if (holder !== undefined) forget(holder)
    const discriminator = newDiscriminator()
    const port = openPort(path, options)
    if (Result.isFailure(port)) return Result.fail(port.failure)
    if (before !== undefined) leave(before)
    const session = startSession({ name, discriminator, port: port.success }, options, onChange)
    const entry: Entry = { session, path, leaving: undefined }
    byDiscriminator.set(discriminator, entry)
    byPath.set(pathKey(path), entry)
    byName.set(name, entry)
    return Result.succeed(session.status())
  }

  const openPort = (path: Path, { minimumTtl }: SessionOptions) => asked(() => ports.open(path, minimumTtl))

  const renewal = setInterval(() => {
    for (const { session } of byDiscriminator.values()) session.renew()
  }, renewalMs)

  return {
    set: (name, options) => {
      if (onEmpty !== undefined) return Result.fail("this BFD is about to end")
      const entry = byName.get(name)
      if (entry === undefined || pathKey(entry.path) !== pathKey(pathOf(options))) return add(name, options)
      const changed = asked(() => entry.session.change(options))
      if (Result.isFailure(changed)) return Result.fail(changed.failure)
      clearTimeout(entry.leaving)
      entry.leaving = undefined
      return Result.succeed(entry.session.status())
    },
    remove: (name) => {
      const entry = byName.get(name)
      if (entry === undefined || entry.leaving !== undefined) return false
      leave(entry)
      return true
    },
    names: () => [...byName].flatMap(([name, { leaving }]) => (leaving === undefined ? [name] : [])),
    status: () => [...byDiscriminator.values()].map(({ session }) => session.status()),
    discarded: () => ({ ...discarded }),
    stop: () =>
      new Promise((resolve) => {
        clearInterval(renewal)
        onEmpty = resolve
        for (const entry of byDiscriminator.values()) leave(entry)
        if (byDiscriminator.size === 0) resolve()
      })
  }
}
