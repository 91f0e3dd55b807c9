const fnvOffset = 0x6c62272e07bb014262b821756295c58dn
const fnvPrime = 0x0000000001000000000000000000013bn
const mask = (1n << 128n) - 1n

/**
 * A uuid that depends on the names alone, for objects whose manifest has none (RFC 9562 §5.8: version 8). The same
 * Service in a folder keeps it over deletion and return, as it keeps its address.
 */
export const derivedUid = (namespace: string, name: string): string => {
  let hash = fnvOffset // FNV-1a, 128 bits
  for (const byte of new TextEncoder().encode(`${namespace}/${name}`)) hash = ((hash ^ BigInt(byte)) * fnvPrime) & mask
  const digits = [...hash.toString(16).padStart(32, "0")]
  digits[12] = "8"
  digits[16] = "89ab"[Number.parseInt(digits[16] ?? "0", 16) & 3] ?? "8"
  const text = digits.join("")
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-")
}
