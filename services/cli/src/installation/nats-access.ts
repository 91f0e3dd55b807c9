import { appendFileSync, existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { type NatsUser, natsUsersText, newNatsKey, publicKeyOf, readNatsUsers } from "@lowtide/bus/nats-users"
import { type BusUser, busUserName } from "@lowtide/bus/permissions"
import { CliFault, exitCodes } from "../fault.ts"
import { pathsIn, readIfThere, replaceFile, writeSecret } from "./files.ts"

/** How the server is told of a changed users' file; sessions of users that are still there stay. */
export const reloadCommand = "nats-server --signal reload"

/** A user of the installation and where its seed is, or was before it was taken to where it is used. */
interface Seat {
  readonly user: BusUser
  readonly seedFile: string
}

const seatsOf = (folder: string, cluster: string): ReadonlyArray<Seat> => {
  const paths = pathsIn(folder)
  return (["agent", "speaker"] as const).map((role) => ({
    user: { role, cluster },
    seedFile: paths.seed(cluster, role)
  }))
}

const allocatorSeat = (folder: string): Seat => ({
  user: { role: "allocator" },
  seedFile: pathsIn(folder).allocatorSeed
})

/** The users that a folder's file has; a file that is not ours is not written over. */
const readUsers = (folder: string): ReadonlyArray<NatsUser> => {
  const file = pathsIn(folder).natsUsers
  const text = readIfThere(file)
  if (text === undefined) return []
  const users = readNatsUsers(text)
  if (users.length === 0) {
    throw new CliFault({
      exitCode: exitCodes.conflict,
      what: `${file}: expected a file that \`lowtide cluster add\` wrote, found another`,
      next: "take it away, or name another folder with --out"
    })
  }
  return users
}

/** What became of one user's seed. */
export interface SeedNote {
  readonly user: string
  readonly seedFile: string
  readonly state: "made" | "kept" | "elsewhere"
}

/**
 * Sees to it that the allocator and a cluster's agent and speakers are users. What is there stays: a seed is never
 * written over, and a user whose seed was taken away keeps its key.
 */
export const addUsers = (folder: string, cluster: string): ReadonlyArray<SeedNote> => {
  const paths = pathsIn(folder)
  const seats: ReadonlyArray<Seat> = [allocatorSeat(folder), ...seatsOf(folder, cluster)]
  const users = new Map(readUsers(folder).map((entry) => [busUserName(entry.user), entry]))
  const notes = seats.map(({ user, seedFile }): SeedNote => {
    const name = busUserName(user)
    const known = users.get(name)
    if (known !== undefined) return { user: name, seedFile, state: existsSync(seedFile) ? "kept" : "elsewhere" }
    const seed = readIfThere(seedFile) // of an attempt that ended half way
    const key = seed === undefined ? newNatsKey() : { seed, publicKey: publicKeyOf(seed) }
    if (seed === undefined) writeSecret(seedFile, `${key.seed}\n`)
    users.set(name, { user, publicKeys: [key.publicKey] })
    return { user: name, seedFile, state: seed === undefined ? "made" : "kept" }
  })
  replaceFile(paths.natsUsers, natsUsersText([...users.values()]))
  return notes
}

/** Exchanges the keys of a cluster's users, `rotate` says how. */
export const rotateUsers = (folder: string, cluster: string, step: "begin" | "finish"): ReadonlyArray<SeedNote> =>
  rotate(folder, seatsOf(folder, cluster), step, {
    what: `cluster ${cluster}`,
    remedy: `lowtide cluster add ${cluster} --out ${folder}`
  })

/** Exchanges the allocator's key, `rotate` says how. */
export const rotateAllocator = (folder: string, step: "begin" | "finish"): ReadonlyArray<SeedNote> =>
  rotate(folder, [allocatorSeat(folder)], step, {
    what: "allocator",
    remedy: `lowtide cluster add NAME --out ${folder}`
  })

/**
 * Gives users new keys beside those they have, or, to finish, takes the old ones away. Between the two both are good, so
 * that no process is without one.
 */
const rotate = (
  folder: string,
  wanted: ReadonlyArray<Seat>,
  step: "begin" | "finish",
  { what, remedy }: { readonly what: string; readonly remedy: string }
): ReadonlyArray<SeedNote> => {
  const users = new Map(readUsers(folder).map((entry) => [busUserName(entry.user), entry]))
  const fault = (what: string, next: string) => new CliFault({ exitCode: exitCodes.conflict, what, next })
  const seats = wanted.map((seat) => ({ ...seat, entry: users.get(busUserName(seat.user)) }))
  const notes = seats.map(({ user, seedFile, entry }): SeedNote => {
    if (entry === undefined) {
      throw new CliFault({
        exitCode: exitCodes.notFound,
        what: `${what}: expected one that has users in ${pathsIn(folder).natsUsers}, found none`,
        next: `run \`${remedy}\``
      })
    }
    const isUnderWay = entry.publicKeys.length > 1
    if (step === "begin" && isUnderWay) {
      throw fault(
        `${what}: its keys are being exchanged already`,
        "give the new seeds to its processes, then run this with --finish"
      )
    }
    if (step === "finish" && !isUnderWay) {
      throw fault(`${what}: expected two keys a user, found one`, "run this without --finish first")
    }
    return { user: busUserName(user), seedFile, state: step === "begin" ? "made" : "kept" }
  })
  for (const { user, seedFile, entry } of seats) {
    const old = entry?.publicKeys ?? []
    if (step === "finish") users.set(busUserName(user), { user, publicKeys: old.slice(0, 1) })
    else {
      const key = newNatsKey()
      replaceFile(seedFile, `${key.seed}\n`, 0o600)
      users.set(busUserName(user), { user, publicKeys: [key.publicKey, ...old] })
    }
  }
  replaceFile(pathsIn(folder).natsUsers, natsUsersText([...users.values()]))
  return notes
}

/**
 * Takes a cluster's users out of the file, and its credentials out of the folder: they are good for nothing from then on.
 * Who did it and why stays, a line in a file of the folder.
 */
export const removeUsers = (folder: string, cluster: string, note: object): void => {
  const users = readUsers(folder)
  const kept = users.filter(({ user }) => user.role === "allocator" || user.cluster !== cluster)
  if (kept.length === users.length) {
    throw new CliFault({
      exitCode: exitCodes.notFound,
      what: `cluster ${cluster}: expected one of [${clustersOf(folder).join(", ")}] in ${pathsIn(folder).natsUsers}`,
      next: "name one of them, or another folder with --out"
    })
  }
  const paths = pathsIn(folder)
  appendFileSync(paths.removedClusters, `${JSON.stringify(note)}\n`)
  replaceFile(paths.natsUsers, natsUsersText(kept))
  rmSync(join(paths.clusters, cluster), { recursive: true, force: true })
}

/** Clusters that have users in a folder. */
export const clustersOf = (folder: string): ReadonlyArray<string> => [
  ...new Set(readUsers(folder).flatMap(({ user }) => (user.role === "allocator" ? [] : [user.cluster])))
]
