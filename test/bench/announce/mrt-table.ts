/** MRT record: RFC 6396 §2. */
const record = (subtype: number, body: Buffer): Buffer => {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(13, 4) // TABLE_DUMP_V2
  header.writeUInt16BE(subtype, 6)
  header.writeUInt32BE(body.length, 8)
  return Buffer.concat([header, body])
}

/** One peer, 192.0.2.9 in AS 64496: RFC 6396 §4.3.1. */
const peerIndex = (): Buffer =>
  record(1, Buffer.from([192, 0, 2, 9, 0, 0, 0, 1, 0x02, 192, 0, 2, 9, 192, 0, 2, 9, 0, 0, 0xfb, 0xf0]))

const attributesWith = (nextHop: string) =>
  Buffer.from([
    ...[0x40, 1, 1, 0], // ORIGIN: IGP
    ...[0x40, 2, 0], // AS_PATH: empty
    ...[0x40, 3, 4, ...nextHop.split(".").map(Number)] // NEXT_HOP, which GoBGP passes on as it stands
  ])

/** A host route: RFC 6396 §4.3.2. */
const route = (sequence: number, address: number, attributes: Buffer): Buffer => {
  const body = Buffer.alloc(19 + attributes.length)
  body.writeUInt32BE(sequence, 0)
  body[4] = 32
  body.writeUInt32BE(address, 5)
  body.writeUInt16BE(1, 9) // one entry
  body.writeUInt16BE(0, 11) // of peer 0
  body.writeUInt32BE(0, 13)
  body.writeUInt16BE(attributes.length, 17)
  body.set(attributes, 19)
  return record(2, body)
}

/**
 * A table dump of `count` host routes from `first` on, the only thing GoBGP loads in bulk. `gobgp mrt inject` leaves
 * before its stream is drained, so the last routes stand in the file again and again.
 */
export const mrtTable = (first: number, count: number, nextHop: string): Buffer => {
  const attributes = attributesWith(nextHop)
  const padding = 20_000
  const routes = Array.from({ length: count + padding }, (_, index) =>
    route(index, first + (index < count ? index : count - 1 - (index % Math.min(count, 100))), attributes)
  )
  return Buffer.concat([peerIndex(), ...routes])
}
