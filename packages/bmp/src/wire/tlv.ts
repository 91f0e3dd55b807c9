import { concatBytes, readU16, u16 } from "@lowtide/bgp/wire/bytes"
import { Result } from "effect"
import { type BmpFault, refuse } from "./fault.ts"

/** An Information TLV, RFC 7854 §4.4: its meaning depends on the message that it is in. */
export interface Tlv {
  readonly type: number
  readonly value: Uint8Array
}

/** A TLV with a text. */
export const textTlv = (type: number, text: string): Tlv => ({ type, value: new TextEncoder().encode(text) })

/** Texts that a message tells about itself are cut beyond so many characters. */
const textMax = 4_096

/** The text of a TLV, without what does not print; octets that are no UTF-8 are shown as replaced. */
export const tlvText = ({ value }: Tlv): string =>
  new TextDecoder()
    .decode(value.subarray(0, textMax))
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ")
    .trim()

/** Reads TLVs from `offset` to the end of the message. The values are copies. */
export const decodeTlvs = (
  message: Uint8Array,
  offset: number,
  section: string
): Result.Result<ReadonlyArray<Tlv>, BmpFault> => {
  const tlvs: Array<Tlv> = []
  for (let at = offset; at < message.length; ) {
    if (at + 4 > message.length) {
      return refuse(at, `expected a TLV's type and length in 4 octets, found ${message.length - at}`, section)
    }
    const length = readU16(message, at + 2)
    const end = at + 4 + length
    if (end > message.length) {
      return refuse(at + 2, `expected a TLV of at most ${message.length - at - 4} octets, found ${length}`, section)
    }
    tlvs.push({ type: readU16(message, at), value: message.slice(at + 4, end) })
    at = end
  }
  return Result.succeed(tlvs)
}

/** TLVs one after the other; a value beyond 65,535 octets is a defect of the caller. */
export const encodeTlvs = (tlvs: ReadonlyArray<Tlv>): Uint8Array =>
  concatBytes(
    tlvs.flatMap(({ type, value }) => {
      if (value.length > 0xffff) throw new RangeError(`expected a TLV of at most 65535 octets, found ${value.length}`)
      return [u16(type), u16(value.length), value]
    })
  )
