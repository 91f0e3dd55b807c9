/** Splits what comes in into lines. */
export interface LineReader {
  /** The whole lines of all that was pushed so far, without their ends. */
  readonly push: (octets: Buffer) => ReadonlyArray<string>
  /** Whether a line has become longer than it may be: nothing more is to be made of this stream. */
  readonly isTooLong: () => boolean
}

/** A reader of lines of at most `bytesMax` octets each. */
export const makeLineReader = (bytesMax: number): LineReader => {
  let rest: Buffer = Buffer.alloc(0)
  let isTooLong = false
  return {
    push: (octets) => {
      const lines: Array<string> = []
      let unread = rest.length === 0 ? octets : Buffer.concat([rest, octets])
      for (let end = unread.indexOf(0x0a); end >= 0 && !isTooLong; end = unread.indexOf(0x0a)) {
        if (end > bytesMax) isTooLong = true
        else lines.push(unread.subarray(0, end).toString("utf8"))
        unread = unread.subarray(end + 1)
      }
      rest = Buffer.from(unread)
      isTooLong ||= rest.length > bytesMax
      return lines
    },
    isTooLong: () => isTooLong
  }
}
