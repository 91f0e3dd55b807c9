import type { Family, IpAddress, Prefix } from "@lowtide/net"
import { type AttributeContext, attributeFlags } from "./attribute-codec.ts"
import { encodeAttributes } from "./attribute-list.ts"
import { concatBytes, u16 } from "./bytes.ts"
import { afiOf, safiUnicast } from "./family.ts"
import { headerBytes, messageBytesMax, writeHeader } from "./message.ts"
import { prefixBytes, prefixBytesMax, writePrefix } from "./nlri.ts"
import { attributeCodecs, type PathAttribute } from "./path-attributes.ts"
import { mpReachHead } from "./reachability.ts"

/** Prefixes of one family that share one attribute set, and so one message where they fit. */
export interface AnnouncementGroup {
  readonly family: Family
  readonly nextHop: IpAddress
  /** Goes beside an IPv6 next hop: RFC 2545 §3. */
  readonly linkLocalNextHop?: IpAddress
  /** Everything but the next hop and reachability, which the packer adds as the family needs them. */
  readonly attributes: ReadonlyArray<PathAttribute>
  readonly prefixes: ReadonlyArray<Prefix>
}

/** What goes to a peer in one flush. */
export interface UpdateBatch {
  readonly withdrawn: { readonly 4: ReadonlyArray<Prefix>; readonly 6: ReadonlyArray<Prefix> }
  readonly announced: ReadonlyArray<AnnouncementGroup>
}

/** Some whole messages of one kind one after the other: UPDATEs unless it says otherwise. */
export interface UpdateChunk {
  readonly bytes: Uint8Array
  readonly messages: number
  readonly kind?: "RouteRefresh"
}

/**
 * How large a chunk is: what one write hands to the kernel, small enough to let a slow peer push back, and large enough for
 * an extended message (RFC 8654).
 */
export const chunkBytes = 64 * 1024

/**
 * The UPDATEs of a batch, withdrawals first, each message as full as the session allows. An attribute set is encoded
 * once; a message has prefixes of one kind only (RFC 7606 §5.1). IPv4 stands in the message's own fields, IPv6 in the
 * MP attributes. Chunks are made as they are asked for, so that a peer that reads slowly costs no memory.
 */
export function* packUpdates(batch: UpdateBatch, context: AttributeContext): Generator<UpdateChunk, void> {
  const chunker = new Chunker(context.messageBytesMax ?? messageBytesMax)
  for (const family of [4, 6] as const) {
    yield* pack(chunker, withdrawalShape(family), batch.withdrawn[family])
  }
  for (const group of batch.announced) {
    yield* pack(chunker, announcementShape(group, context), group.prefixes)
  }
  if (chunker.messages > 0) yield chunker.take()
}

/** A message but for its prefixes: `before` them, `after` them, and how the octets before tell their length. */
interface MessageShape {
  readonly before: Uint8Array
  /** Offsets in `before` of two-octet lengths, each with the octets it counts beside the prefixes. */
  readonly lengths: ReadonlyArray<{ readonly at: number; readonly besides: number }>
  readonly after: Uint8Array
}

const extendedHead = (code: number): Uint8Array =>
  // Both MP attributes are optional and non-transitive; their length always has two octets here.
  Uint8Array.of(attributeFlags.optional | attributeFlags.extendedLength, code, 0, 0)

const withdrawalShape = (family: Family): MessageShape => {
  if (family === 4) return { before: u16(0), lengths: [{ at: 0, besides: 0 }], after: u16(0) }
  const head = concatBytes([u16(afiOf(family)), Uint8Array.of(safiUnicast)])
  return {
    before: concatBytes([u16(0), u16(0), extendedHead(attributeCodecs.MpUnreachNlri.code), head]),
    lengths: [
      { at: 2, besides: 4 + head.length },
      { at: 6, besides: head.length }
    ],
    after: new Uint8Array(0)
  }
}

const announcementShape = (group: AnnouncementGroup, context: AttributeContext): MessageShape => {
  // IPv4 prefixes stand last in the message, after all attributes, with no length of their own.
  if (group.family === 4 && group.nextHop.family === 4) {
    const nextHop: PathAttribute = { _tag: "NextHop", address: group.nextHop }
    const attributes = encodeAttributes([...group.attributes, nextHop], context)
    return { before: concatBytes([u16(0), u16(attributes.length), attributes]), lengths: [], after: new Uint8Array(0) }
  }
  const attributes = encodeAttributes(group.attributes, context)
  const head = mpReachHead(group.family, group.nextHop, group.linkLocalNextHop)
  return {
    before: concatBytes([u16(0), u16(0), extendedHead(attributeCodecs.MpReachNlri.code), head]),
    lengths: [
      { at: 2, besides: 4 + head.length + attributes.length },
      { at: 6, besides: head.length }
    ],
    after: attributes
  }
}

function* pack(chunker: Chunker, shape: MessageShape, prefixes: ReadonlyArray<Prefix>): Generator<UpdateChunk, void> {
  for (let next = 0; next < prefixes.length; ) {
    if (chunker.isFull()) yield chunker.take()
    next = chunker.message(shape, prefixes, next)
  }
}

/** Lays messages one after the other into one array. */
class Chunker {
  messages = 0
  private readonly messageBytesMax: number
  private bytes = new Uint8Array(chunkBytes)
  private used = 0

  constructor(messageBytesMax: number) {
    this.messageBytesMax = messageBytesMax
  }

  isFull(): boolean {
    return this.used + this.messageBytesMax > chunkBytes
  }

  /** What was laid out so far; the next message begins a new array. */
  take(): UpdateChunk {
    const chunk = { bytes: this.bytes.subarray(0, this.used), messages: this.messages }
    this.bytes = new Uint8Array(chunkBytes)
    this.used = 0
    this.messages = 0
    return chunk
  }

  /** One message with as many prefixes as fit, from index `first` on; answers the index of the first left out. */
  message(shape: MessageShape, prefixes: ReadonlyArray<Prefix>, first: number): number {
    const start = this.used
    const prefixesAt = start + headerBytes + shape.before.length
    const limit = start + this.messageBytesMax - shape.after.length
    // An attribute set too large to leave room for a prefix cannot be sent at all.
    if (prefixesAt + prefixBytesMax > limit) throw new RangeError("the path attributes fill a whole message")
    this.bytes.set(shape.before, start + headerBytes)
    const { offset, next } = writePrefixes(this.bytes, { offset: prefixesAt, limit }, prefixes, first)
    for (const { at, besides } of shape.lengths) {
      this.bytes.set(u16(besides + offset - prefixesAt), start + headerBytes + at)
    }
    this.bytes.set(shape.after, offset)
    this.used = offset + shape.after.length
    writeHeader(this.bytes, start, { kind: "Update", lengthBytes: this.used - start })
    this.messages++
    return next
  }
}

/** Prefixes from index `first` on, as long as they fit before `limit`; answers the offset after them and the first left out. */
const writePrefixes = (
  out: Uint8Array,
  { offset, limit }: { readonly offset: number; readonly limit: number },
  prefixes: ReadonlyArray<Prefix>,
  first: number
) => {
  let end = offset
  let next = first
  for (; next < prefixes.length; next++) {
    const prefix = prefixes[next]!
    if (end + prefixBytes(prefix) > limit) break
    end = writePrefix(out, end, prefix)
  }
  return { offset: end, next }
}
