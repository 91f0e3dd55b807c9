/** Octets written in hexadecimal, one field a line; what follows `#` on a line says what the field is. */
export const octets = (text: string): Uint8Array => {
  const digits = text.replace(/#.*$/gm, "").replace(/\s+/g, "")
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not whole octets in hexadecimal: ${digits}`)
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16)
  )
}
