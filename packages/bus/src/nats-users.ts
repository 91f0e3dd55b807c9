import { nkeys } from "@nats-io/transport-node"
import { type BusUser, busUserName, permissionsOf } from "./permissions.ts"

/** A user and the public keys that prove to be it: one, or two while they are exchanged, the newest first. */
export interface NatsUser {
  readonly user: BusUser
  readonly publicKeys: ReadonlyArray<string>
}

/** A new key of a user. The seed is its secret; the server needs the public key alone. */
export const newNatsKey = (): { readonly seed: string; readonly publicKey: string } => {
  const pair = nkeys.createUser()
  return { seed: new TextDecoder().decode(pair.getSeed()), publicKey: pair.getPublicKey() }
}

/** The public key of a seed's text; throws when it is no seed of a user. */
export const publicKeyOf = (seed: string): string => {
  const publicKey = nkeys.fromSeed(new TextEncoder().encode(seed.trim())).getPublicKey()
  if (!publicKey.startsWith("U")) throw new TypeError(`expected the seed of a user, SU..., found one of another kind`)
  return publicKey
}

const heading = `# Lowtide's users and what each may do, for the server's configuration: include "nats-users.conf".
# Written by \`lowtide cluster\` and \`allocator\`, which read it back. It holds public keys only.
`

/**
 * The file that nats-server includes. A comment line names the user of each key, so that the file is its own record:
 * `readNatsUsers` reads it back.
 */
export const natsUsersText = (users: ReadonlyArray<NatsUser>): string => {
  const entries = users.flatMap(({ user, publicKeys }) => {
    const { publish, subscribe } = permissionsOf(user)
    const lists = [
      `publish: { allow: [\n${listed(publish)}\n      ] }`,
      `subscribe: { allow: [\n${listed(subscribe)}\n      ] }`
    ]
    return publicKeys.map(
      (key) =>
        `    # ${busUserName(user)} ${key}\n    { nkey: ${key}, permissions: {\n      ${lists.join("\n      ")}\n    } }`
    )
  })
  return `${heading}authorization {\n  users: [\n${entries.join("\n")}\n  ]\n}\n`
}

const listed = (subjects: ReadonlyArray<string>): string =>
  subjects.map((subject) => `        ${JSON.stringify(subject)}`).join("\n")

/** The users of a file that `natsUsersText` wrote. */
export const readNatsUsers = (text: string): ReadonlyArray<NatsUser> => {
  const users = new Map<string, { readonly user: BusUser; readonly publicKeys: Array<string> }>()
  for (const [, name = "", key = ""] of text.matchAll(/^ *# ((?:allocator|agent-|speaker-)\S*) (U[A-Z2-7]{55})$/gm)) {
    const known = users.get(name) ?? { user: userOfName(name), publicKeys: [] }
    users.set(name, known)
    known.publicKeys.push(key)
  }
  return [...users.values()]
}

const userOfName = (name: string): BusUser =>
  name === "allocator"
    ? { role: "allocator" }
    : name.startsWith("agent-")
      ? { role: "agent", cluster: name.slice("agent-".length) }
      : { role: "speaker", cluster: name.slice("speaker-".length) }
