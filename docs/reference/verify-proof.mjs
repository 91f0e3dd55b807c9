// Checks a proof, or a whole export, of Lowtide's ledger as ledger-proofs.md describes them, with Node's standard library
// alone and without any code of Lowtide. Exit code: 0 proved, 1 not proved, 2 wrong use or a file that cannot be read.
//
//   node verify-proof.mjs PROOF.json KEYS.txt                     KEYS.txt: verifier keys NAME+ID+KEY, one a line
//   node verify-proof.mjs LOG.ndjson KEYS.txt CHECKPOINTS.txt     CHECKPOINTS.txt: signed notes, one after the other
import { createHash, createPublicKey, verify } from "node:crypto"
import { createReadStream, readFileSync } from "node:fs"
import { createInterface } from "node:readline"

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
const fieldsOfEvent = [
  ...["seq", "epoch", "commitSeq", "eventId", "recordedAt", "stream", "version", "type", "schema", "observedAt"],
  ...["network", "address", "pool", "cluster", "namespace", "service", "serviceUid", "actor", "actorKind", "commandId"],
  ...["correlationId", "causationSeq", "reasonCode", "data", "meta", "leafHash"]
]
/** What the leaf does not cover proves nothing, however it looks; `text` is where the event was read, for keys that stand there twice. */
const refuseStrayFields = (e, text) => {
  const stray = Object.keys(e).find((key) => !fieldsOfEvent.includes(key))
  if (stray !== undefined) refuse(`event ${e.seq} has a field that no event has: ${stray}`)
  const keys = [...text.matchAll(/"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?/g)].filter(([, , colon]) => colon !== undefined)
  // A letter may stand there as an escape: what counts is what is read.
  const names = keys.map(([, name]) => JSON.parse(`"${name}"`))
  for (const key of fieldsOfEvent) {
    if (names.filter((name) => name === key).length > 1) refuse(`event ${e.seq} has ${key} twice`)
  }
}
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
    const said = (word) => more.find((line) => line.startsWith(`${word} `))?.slice(word.length + 1)
    const incarnation = Number(said("incarnation"))
    return { origin, size: BigInt(size), root: Buffer.from(root, "base64"), name, signed: said("signed"), incarnation }
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

const jsonIn = (text, what) => {
  try {
    return JSON.parse(text)
  } catch (error) {
    return refuse(`${what} is no JSON: ${error.message}`)
  }
}

const checkProof = (text, keys) => {
  const proof = jsonIn(text, "the proof")
  if (proof.kind !== "lowtide.dev/proof/v1")
    refuse(`expected a proof of kind lowtide.dev/proof/v1, found ${proof.kind}`)
  for (const part of ["event", "inclusion", "checkpoint"]) if (proof[part] === undefined) refuse(`it has no ${part}`)
  const checkpoint = openNote(proof.checkpoint, keys)
  refuseStrayFields(proof.event, text)
  const leaf = leafOf(proof.event)
  if (leaf.toString("hex") !== proof.event.leafHash) refuse("the event does not have the leaf that it names")
  checkInclusion(BigInt(proof.event.seq) - 1n, checkpoint.size, leaf, hashes(proof.inclusion), checkpoint.root)
  if (proof.consistency !== undefined) {
    const older = openNote(proof.consistency.checkpoint, keys)
    if (older.origin !== checkpoint.origin) refuse("the two checkpoints are of different logs")
    checkConsistency(older.size, checkpoint.size, older.root, checkpoint.root, hashes(proof.consistency.path))
  }
  return `event ${proof.event.seq} is in ${checkpoint.origin}, ${checkpoint.size} events, signed ${checkpoint.signed} by ${checkpoint.name}`
}

/**
 * Notes that a key signed which is known. Others are passed over: a key is followed by another, and a folder may have the notes of
 * several logs, of which the newest note's is meant. Those of an incarnation before the newest are of a history that was lost since.
 */
const openNotes = (text, keys) => {
  const notes = text.match(/^[^\n]+\n[0-9]+\n[^\n]+\n(?:[^\n]+\n)*\n(?:\u2014 [^\n]+\n?)+/gm) ?? []
  const opened = notes.flatMap((note) => {
    try {
      return openNote(note, keys)
    } catch (error) {
      console.error(`warning: a checkpoint is passed over: ${error.message}`)
      return []
    }
  })
  opened.sort((a, b) => a.incarnation - b.incarnation || Number(a.size - b.size))
  const newest = opened.at(-1) ?? refuse("no checkpoint of a known key was found")
  for (const origin of new Set(opened.map(({ origin }) => origin))) {
    if (origin !== newest.origin)
      console.error(`warning: checkpoints of ${origin} are passed over: this is about ${newest.origin}`)
  }
  return opened.filter(({ origin, incarnation }) => origin === newest.origin && incarnation === newest.incarnation)
}

/** A tree as its complete subtrees from the left, the largest first. */
const append = (subtrees, leaf) => {
  subtrees.push({ size: 1, hash: leaf })
  while (subtrees.length > 1 && subtrees.at(-1).size === subtrees.at(-2).size) {
    const [left, right] = subtrees.splice(-2)
    subtrees.push({ size: left.size + right.size, hash: sha256(octet(1), left.hash, right.hash) })
  }
}
const rootOf = (subtrees) =>
  subtrees.map(({ hash }) => hash).reduceRight((right, left) => sha256(octet(1), left, right))

/** The export's first line where the events before are archived: their subtrees stand for them. */
const beginAfter = ({ untilSeq, left }) => {
  let rest = untilSeq
  return hashes(left).map((hash) => {
    const size = 2 ** Math.floor(Math.log2(rest))
    rest -= size
    return { size, hash }
  })
}

const checkLog = async (file, notes, keys) => {
  const checkpoints = openNotes(notes, keys)
  let subtrees = []
  let count = 0
  let last
  let fits
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === "") continue
    const event = jsonIn(line, `event ${count + 1}`)
    if (event.kind === "lowtide.dev/archived/v1" && count === 0) {
      subtrees = beginAfter(event)
      count = event.untilSeq
      continue
    }
    count += 1
    if (event.seq !== count) refuse(`event ${count} is not where it should be: found event ${event.seq}`)
    refuseStrayFields(event, line)
    const leaf = leafOf(event)
    if (leaf.toString("hex") !== event.leafHash) refuse(`event ${count} was changed`)
    append(subtrees, leaf)
    last = event
    for (const checkpoint of checkpoints.filter(({ size }) => size === BigInt(count))) {
      if (!rootOf(subtrees).equals(checkpoint.root))
        refuse(`event ${count}, or one before, was changed: the checkpoint over ${count} events has another root`)
      fits = checkpoint
    }
  }
  // A whole export ends with the event that tells of it; whatever was signed before then is about events that it has.
  const isDated = last?.type === "AuditExported"
  const cut = checkpoints.find(
    ({ size, signed }) =>
      size > BigInt(count) && !(isDated && Date.parse(signed) >= Date.parse(last.recordedAt) - 10_000)
  )
  if (cut !== undefined) refuse(`event ${count + 1} is missing: the checkpoint signed ${cut.signed} covers ${cut.size}`)
  if (fits === undefined) refuse(`no checkpoint is over ${count} events or fewer`)
  return `events 1 to ${fits.size} are those of ${fits.origin}, signed ${fits.signed} by ${fits.name}; ${count} were read`
}

const [file, keysFile, notesFile] = process.argv.slice(2)
if (keysFile === undefined) {
  console.error(
    "usage: node verify-proof.mjs PROOF.json KEYS.txt\n       node verify-proof.mjs LOG.ndjson KEYS.txt CHECKPOINTS.txt"
  )
  process.exit(2)
}
try {
  const keys = keysIn(readFileSync(keysFile, "utf8"))
  console.log(
    `proved: ${
      notesFile === undefined
        ? checkProof(readFileSync(file, "utf8"), keys)
        : await checkLog(file, readFileSync(notesFile, "utf8"), keys)
    }`
  )
} catch (error) {
  if (error.syscall !== undefined) {
    console.error(`cannot be read: ${error.message}`)
    process.exit(2)
  }
  console.log(`NOT proved: ${error.message}`)
  process.exitCode = 1
}
