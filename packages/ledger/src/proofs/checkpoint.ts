import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto"
import { Result } from "effect"

/** What a signed checkpoint says: how many events the log had, and the root over them. */
export interface Checkpoint {
  /** The log's name: checkpoints of different logs are never mixed up. */
  readonly origin: string
  /** Events in the tree: the seq of the last one. */
  readonly size: number
  readonly root: Uint8Array
  /** Of the log; two checkpoints of different ones need not agree, since history was lost between them. */
  readonly incarnation: number
  /** When it was signed, ISO 8601, by the database's clock as the leader knew it. */
  readonly signedAt: string
}

/** A checkpoint whose signature is good, with the name of the key that made it and its own text. */
export interface SignedCheckpoint extends Checkpoint {
  readonly signedBy: string
  readonly note: string
}

/** Whose checkpoints are believed: public keys by their name and identifier. */
export type CheckpointKeys = ReadonlyMap<string, { readonly name: string; readonly publicKey: KeyObject }>

/** What signs checkpoints. `name` has no space and no plus sign. */
export interface CheckpointSigner {
  readonly name: string
  readonly privateKey: KeyObject
}

/** The text of a checkpoint, C2SP tlog-checkpoint: three lines, and our two extension lines. */
const bodyOf = (checkpoint: Checkpoint): string =>
  `${checkpoint.origin}\n${checkpoint.size}\n${Buffer.from(checkpoint.root).toString("base64")}\n` +
  `incarnation ${checkpoint.incarnation}\nsigned ${checkpoint.signedAt}\n`

/** A signed note (C2SP signed-note) with one Ed25519 signature. */
export const signCheckpoint = (signer: CheckpointSigner, checkpoint: Checkpoint): string => {
  const body = bodyOf(checkpoint)
  const key = rawPublicKey(createPublicKey(signer.privateKey))
  const blob = Buffer.concat([keyIdentifier(signer.name, key), sign(null, Buffer.from(body), signer.privateKey)])
  return `${body}\n— ${signer.name} ${blob.toString("base64")}\n`
}

/** Reads a signed note and believes it when one of the keys signed it; says otherwise why not. Other signatures are passed over. */
export const openCheckpoint = (keys: CheckpointKeys, note: string): Result.Result<SignedCheckpoint, string> => {
  const split = note.indexOf("\n\n")
  if (split < 0) return Result.fail("expected a signed note: text, a blank line, signatures")
  const body = note.slice(0, split + 1)
  const checkpoint = readBody(body)
  if (checkpoint === undefined) {
    return Result.fail(`expected origin, size, root, incarnation and time, found ${JSON.stringify(body.slice(0, 80))}`)
  }
  const signers: Array<string> = []
  for (const line of note.slice(split + 2).split("\n")) {
    const [, name = "", base64 = ""] = /^— ([^ +]+) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? []
    if (name === "") continue
    const blob = Buffer.from(base64, "base64")
    const key = keys.get(`${name}+${blob.subarray(0, 4).toString("hex")}`)
    if (key === undefined) signers.push(name)
    else if (verify(null, Buffer.from(body), key.publicKey, blob.subarray(4))) {
      return Result.succeed({ ...checkpoint, signedBy: name, note })
    } else return Result.fail(`the signature by ${name} does not fit the checkpoint of size ${checkpoint.size}`)
  }
  const believed = [...new Set([...keys.values()].map(({ name }) => name))].join(", ")
  return Result.fail(`expected a signature by one of [${believed}], found [${signers.join(", ")}]`)
}

/** What a note says, whoever signed it. */
export const claimOf = (note: string): Checkpoint | undefined => readBody(note.slice(0, note.indexOf("\n\n") + 1))

const readBody = (body: string): Checkpoint | undefined => {
  const [origin = "", size = "", root = "", ...extensions] = body.split("\n")
  const extension = (name: string) => extensions.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1)
  const hash = Buffer.from(root, "base64")
  const incarnation = Number(extension("incarnation"))
  const signedAt = extension("signed") ?? ""
  const isWhole = /^(0|[1-9]\d{0,15})$/.test(size) && hash.length === 32 && Number.isInteger(incarnation)
  if (origin === "" || !isWhole || Number.isNaN(Date.parse(signedAt))) return undefined
  return { origin, size: Number(size), root: hash, incarnation, signedAt }
}

/**
 * The notes of a file in which they follow each other, blank lines between them or not. One that was cut off ends at the
 * blank lines before the next.
 */
export const splitNotes = (text: string): ReadonlyArray<string> => {
  const notes: Array<string> = []
  let lines: Array<string> = []
  const end = () => {
    if (lines.length > 0) notes.push(`${lines.join("\n")}\n`)
    lines = []
  }
  for (const line of text.split(/\r?\n/)) {
    const isSignature = line.startsWith("— ")
    const last = lines.at(-1)
    if (!isSignature && (last === "" || last?.startsWith("— "))) end()
    if (line !== "" || lines.length > 0) lines.push(line)
  }
  end()
  return notes
}

/** C2SP signed-note: the first four octets of SHA-256 over name, newline, 0x01 (Ed25519) and the key. */
const keyIdentifier = (name: string, key: Uint8Array): Buffer =>
  createHash("sha256").update(`${name}\n`).update(Uint8Array.of(1)).update(key).digest().subarray(0, 4)

/** The 32 octets of an Ed25519 key, which end its SPKI encoding (RFC 8410 4). */
const rawPublicKey = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" }).subarray(-32)

const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex")

/** C2SP signed-note: a public key as one line, `name+identifier+key`. */
export const verifierKey = (name: string, publicKey: KeyObject): string => {
  const key = rawPublicKey(publicKey)
  const encoded = Buffer.concat([Uint8Array.of(1), key]).toString("base64")
  return `${name}+${keyIdentifier(name, key).toString("hex")}+${encoded}`
}

/** Reads verifier keys, one a line; blank lines and lines that begin with `#` are passed over. Fails with the first that is none. */
export const readVerifierKeys = (text: string): Result.Result<CheckpointKeys, string> => {
  const keys = new Map<string, { readonly name: string; readonly publicKey: KeyObject }>()
  for (const line of text.split(/\r?\n/).map((part) => part.trim())) {
    if (line === "" || line.startsWith("#")) continue
    const [, name = "", identifier = "", encoded = ""] =
      /^([^ +]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(line) ?? []
    const octets = Buffer.from(encoded, "base64")
    const raw = octets.subarray(1)
    if (octets[0] !== 1 || raw.length !== 32 || keyIdentifier(name, raw).toString("hex") !== identifier) {
      return Result.fail(`expected a verifier key NAME+ID+KEY of Ed25519, found ${JSON.stringify(line.slice(0, 80))}`)
    }
    const publicKey = createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: "der", type: "spki" })
    keys.set(`${name}+${identifier}`, { name, publicKey })
  }
  return keys.size === 0 ? Result.fail("expected a verifier key NAME+ID+KEY, found none") : Result.succeed(keys)
}

/** The keys that believe what a signer signs. */
export const keysOf = ({ name, privateKey }: CheckpointSigner): CheckpointKeys => {
  const publicKey = createPublicKey(privateKey)
  return new Map([[`${name}+${keyIdentifier(name, rawPublicKey(publicKey)).toString("hex")}`, { name, publicKey }]])
}
