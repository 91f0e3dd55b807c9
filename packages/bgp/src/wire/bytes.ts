/** Reads two octets in network order; the caller has checked that they are there. */
export const readU16 = (bytes: Uint8Array, offset: number): number => (bytes[offset]! << 8) | bytes[offset + 1]!

/** Reads four octets in network order as an unsigned number; the caller has checked that they are there. */
export const readU32 = (bytes: Uint8Array, offset: number): number =>
  ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>> 0

/** Two octets in network order. */
export const u16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value)

/** Four octets in network order. */
export const u32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)

/** The parts one after the other, in one new array. */
export const concatBytes = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Every `size` octets as one item; the caller has checked that `size` divides the length. */
export const eachOf = <A>(bytes: Uint8Array, size: number, read: (offset: number) => A): ReadonlyArray<A> =>
  Array.from({ length: bytes.length / size }, (_, index) => read(index * size))

/** Lower-case hexadecimal, for messages that show odd bytes. */
export const toHex = (bytes: Uint8Array): string =>
  bytes.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "")
