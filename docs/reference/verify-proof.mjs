// Checks a proof of Lowtide's ledger as ledger-proofs.md describes it, with Node's standard library alone and without
// any code of Lowtide. Exit code: 0 proved, 1 not proved, 2 wrong use.
//
//   node verify-proof.mjs PROOF.json KEYS.txt        KEYS.txt: verifier keys NAME+ID+KEY, one a line
import { createHash, createPublicKey, verify } from "node:crypto"
import { readFileSync } from "node:fs"

const sha256 = (...parts) => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const octet = (value) => Buffer.from([value])
const refuse = (why) => {
  throw new Error(why)
}

// "The leaf"
const field = (value) => (value === undefined ? "-" : `${Buffer.byteLength(String(value), "utf8")}:${String(value)},`)
const hashOf = (text) => sha256(Buffer.from(text, "utf8")).toString("hex")
const leafOf = (e) => {
  const content = hashOf(
    [
      ...[e.stream, e.version, e.type, e.schema, e.observedAt, e.network, e.address, e.pool, e.cluster, e.namespace],
      ...[e.service, e.serviceUid, e.actor, e.actorKind, e.commandId, e.correlationId, e.causationSeq, e.reasonCode],
      ...[hashOf(e.data), hashOf(e.meta)]
    ]
      .map(field)
      .join("")
  )
  const entry = [e.seq, e.epoch, e.commitSeq, e.eventId, e.recordedAt, content].map(field).join("")
  return sha256(octet(0), Buffer.from(entry, "utf8"))
}

// "Checkpoints"
const keysIn = (text) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name, id, base64] = /^([^+ ]+)\+([0-9a-f]{8})\+(.+)$/.exec(line) ?? refuse(`no verifier key: ${line}`)
      const octets = Buffer.from(base64, "base64")
      if (octets.length !== 33 || octets[0] !== 1) refuse(`no Ed25519 key: ${line}`)
      if (sha256(`${name}\n`, octets).subarray(0, 4).toString("hex") !== id) refuse(`the ID does not fit: ${line}`)
      const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), octets.subarray(1)])
      return { name, id, key: createPublicKey({ key: der, format: "der", type: "spki" }) }
    })
const openNote = (note, keys) => {
  const end = note.indexOf("\n\n")
  if (end < 0) refuse("the checkpoint has no blank line before its signature")
  const text = note.slice(0, end + 1)
  const [origin, size, root, ...more] = text.split("\n")
  for (const line of note.slice(end + 2).split("\n")) {
    const [, name, base64] = /^\u2014 ([^ ]+) (.+)$/.exec(line) ?? []
    if (name === undefined) continue
    const blob = Buffer.from(base64, "base64")
    const known = keys.find((key) => key.name === name && key.id === blob.subarray(0, 4).toString("hex"))
    if (known === undefined) continue
    if (!verify(null, Buffer.from(text, "utf8"), known.key, blob.subarray(4)))
      refuse(`the signature by ${name} is wrong`)
    if (!/^[1-9][0-9]{0,15}$/.test(size)) refuse(`the checkpoint has no size: ${size}`)
    const signed = more.find((line) => line.startsWith("signed "))?.slice(7)
    return { origin, size: BigInt(size), root: Buffer.from(root, "base64"), name, signed }
  }
  return refuse("no known key signed the checkpoint")
}

// RFC 9162 2.1.3.2
const checkInclusion = (index, size, leaf, path, root) => {
  if (index < 0n || index >= size) refuse("the event is not among those of the checkpoint")
  let fn = index
  let sn = size - 1n
  let r = leaf
  for (const p of path) {
    if (sn === 0n) refuse("the inclusion path is too long")
    if ((fn & 1n) === 1n || fn === sn) {
      r = sha256(octet(1), p, r)
      if ((fn & 1n) === 0n) {
        while ((fn & 1n) === 0n && fn !== 0n) {
          fn >>= 1n
          sn >>= 1n
        }
      }
    } else r = sha256(octet(1), r, p)
    fn >>= 1n
    sn >>= 1n
  }
  if (sn !== 0n) refuse("the inclusion path is too short")
  if (!r.equals(root)) refuse("the event does not lead to the root of the checkpoint")
}

// RFC 9162 2.1.4.2
const checkConsistency = (first, second, firstRoot, secondRoot, proof) => {
  if (first > second) refuse("the older checkpoint covers more events than the newer one")
  if (first === second) {
    if (proof.length > 0 || !firstRoot.equals(secondRoot)) refuse("two checkpoints over as many events differ")
    return
  }
  const path = (first & (first - 1n)) === 0n ? [firstRoot, ...proof] : [...proof]
  if (path.length === 0) refuse("the consistency path is empty")
  let fn = first - 1n
  let sn = second - 1n
  while ((fn & 1n) === 1n) {
    fn >>= 1n
    sn >>= 1n
  }
  let fr = path[0]
  let sr = path[0]
  for (const c of path.slice(1)) {
    if (sn === 0n) refuse("the consistency path is too long")
    if ((fn & 1n) === 1n || fn === sn) {
      fr = sha256(octet(1), c, fr)
      sr = sha256(octet(1), c, sr)
      while ((fn & 1n) === 0n && fn !== 0n) {
        fn >>= 1n
        sn >>= 1n
      }
    } else sr = sha256(octet(1), sr, c)
    fn >>= 1n
    sn >>= 1n
  }
  if (sn !== 0n) refuse("the consistency path is too short")
  if (!fr.equals(firstRoot) || !sr.equals(secondRoot)) refuse("the log does not go on from the older checkpoint")
}

const hashes = (texts) =>
  texts.map((text) => (/^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, "hex") : refuse(`no hash: ${text}`)))

const [proofFile, keysFile] = process.argv.slice(2)
if (keysFile === undefined) {
  console.error("usage: node verify-proof.mjs PROOF.json KEYS.txt")
  process.exit(2)
}
try {
  const proof = JSON.parse(readFileSync(proofFile, "utf8"))
  if (proof.kind !== "lowtide.dev/proof/v1")
    refuse(`expected a proof of kind lowtide.dev/proof/v1, found ${proof.kind}`)
  const keys = keysIn(readFileSync(keysFile, "utf8"))
  const checkpoint = openNote(proof.checkpoint, keys)
  const leaf = leafOf(proof.event)
  if (leaf.toString("hex") !== proof.event.leafHash) refuse("the event does not have the leaf that it names")
  checkInclusion(BigInt(proof.event.seq) - 1n, checkpoint.size, leaf, hashes(proof.inclusion), checkpoint.root)
  if (proof.consistency !== undefined) {
    const older = openNote(proof.consistency.checkpoint, keys)
    if (older.origin !== checkpoint.origin) refuse("the two checkpoints are of different logs")
    checkConsistency(older.size, checkpoint.size, older.root, checkpoint.root, hashes(proof.consistency.path))
  }
  console.log(
    `proved: event ${proof.event.seq} is in ${checkpoint.origin}, ${checkpoint.size} events, ` +
      `signed ${checkpoint.signed} by ${checkpoint.name}`
  )
} catch (error) {
  console.log(`NOT proved: ${error.message}`)
  process.exitCode = 1
}
