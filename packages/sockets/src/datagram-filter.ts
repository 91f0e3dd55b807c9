import { addressToBytes, type Family, type IpAddress } from "@lowtide/net"
import { SocketFault } from "./fault.ts"
import { checked, libc } from "./libc.ts"

/** Who may send to a datagram socket: an address, and the least TTL or hop limit that its datagrams may arrive with. */
export interface Sender {
  readonly address: IpAddress
  /** 1..255; 255 lets in only what has passed no router (GTSM, RFC 5082). */
  readonly ttlMin: number
}

/** As many as fit into one filter (4,096 instructions, `BPF_MAXINSNS`) in either family; fewer where `net.core.optmem_max` is small. */
export const sendersMax = 300

/**
 * Lets through only what these sent, each with its least TTL, and nothing when there are none; replaces what was set before,
 * with no moment between. The kernel looks, since Node does not show the TTL of a datagram: classic BPF, socket(7).
 */
export const acceptFrom = (fd: number, family: Family, senders: ReadonlyArray<Sender>): void => {
  if (senders.length > sendersMax) {
    const detail = `expected at most ${sendersMax}, found ${senders.length}`
    throw new SocketFault({ operation: "set who may send to a UDP socket", detail })
  }
  attach(fd, Buffer.concat([keepFields(family), ...senders.map(letIn), give(drop)]))
}

/** Lets through only what has passed no router: a TTL or hop limit of 255, whoever sends. */
export const acceptFromLink = (fd: number, family: Family): void =>
  attach(fd, Buffer.concat([loadOctet(fields[family].ttl), ifEqual(255, 0, 1), give(keep), give(drop)]))

const attach = (fd: number, program: Buffer): void => {
  const filter = Buffer.alloc(16) // struct sock_fprog
  filter.writeUInt16LE(program.length / instructionBytes, 0)
  filter.writeBigUInt64LE(libc().addressOf(program), 8)
  checked(libc().setsockopt(fd, 1, 26, filter, filter.length), "attach a packet filter (SO_ATTACH_FILTER)")
  program.fill(0) // also keeps it from being collected before the call
}

/** Where the network header has the address of the sender, in words of 32 bits, and the TTL or hop limit. */
const fields = { 4: { source: 12, words: 1, ttl: 8 }, 6: { source: 8, words: 4, ttl: 7 } } as const

/** The word of the program's memory that holds the TTL; the address is in those from 0 on. */
const ttlWord = 4

const instructionBytes = 8
const keep = 0xffff
const drop = 0

/** Both fields into the program's memory: a program that loads them for each sender is too large for `net.core.optmem_max`. */
const keepFields = (family: Family): Buffer => {
  const { source, words, ttl } = fields[family]
  const address = Array.from({ length: words }, (_, word) => [loadWord(source + word * 4), store(word)])
  return Buffer.concat([...address.flat(), loadOctet(ttl), store(ttlWord)])
}

/** The part of the program about one sender: a datagram of another one goes on to what follows. */
const letIn = ({ address, ttlMin }: Sender): Buffer => {
  const octets = Buffer.from(addressToBytes(address))
  const judge = [recall(ttlWord), ifAtLeast(ttlMin, 0, 1), give(keep), give(drop)]
  const words = octets.length / 4
  const compare = Array.from({ length: words }, (_, word) => {
    const behind = (words - 1 - word) * 2 + judge.length // instructions up to the end of this part
    return [recall(word), ifEqual(octets.readUInt32BE(word * 4), 0, behind)]
  })
  return Buffer.concat([...compare.flat(), ...judge])
}

/** SKF_NET_OFF of linux/filter.h: offsets from here on are into the network header. */
const networkHeader = -0x10_0000

const loadWord = (offset: number): Buffer => instruction(0x20, 0, 0, networkHeader + offset)
const loadOctet = (offset: number): Buffer => instruction(0x30, 0, 0, networkHeader + offset)
const store = (word: number): Buffer => instruction(0x02, 0, 0, word)
const recall = (word: number): Buffer => instruction(0x60, 0, 0, word)
const ifEqual = (value: number, skip: number, elseSkip: number): Buffer => instruction(0x15, skip, elseSkip, value)
const ifAtLeast = (value: number, skip: number, elseSkip: number): Buffer => instruction(0x35, skip, elseSkip, value)
const give = (octets: number): Buffer => instruction(0x06, 0, 0, octets)

/** `struct sock_filter`. */
const instruction = (code: number, ifTrue: number, ifFalse: number, value: number): Buffer => {
  const octets = Buffer.alloc(instructionBytes)
  octets.writeUInt16LE(code, 0)
  octets.writeUInt8(ifTrue, 2)
  octets.writeUInt8(ifFalse, 3)
  octets.writeInt32LE(value | 0, 4)
  return octets
}
