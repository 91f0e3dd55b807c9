import { crc32 } from "node:zlib"

/** A text as a line that shows damage: its CRC-32 in eight hexadecimal digits, a space, the text. The text has no line feed. */
export const checkedLine = (text: string): string => `${checksum(text)} ${text}\n`

/** The text of such a line, which comes without its line feed; undefined where the checksum does not fit. */
export const readCheckedLine = (line: string): string | undefined => {
  const text = line.slice(9)
  return line.slice(0, 9) === `${checksum(text)} ` ? text : undefined
}

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, "0")
