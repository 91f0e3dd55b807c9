import { Result } from "effect"

/** What makes a BMP message unreadable. After it the stream has no known beginning of a message: the connection ends. */
export interface BmpFault {
  readonly _tag: "BmpFault"
  /** The octet at which reading ended, counted from the message's first. */
  readonly offset: number
  /** What was expected there and what was found. */
  readonly reason: string
  /** Where the rule stands, such as `RFC 7854 §4.1`. */
  readonly section: string
}

/** A fault as the failure of a reading. */
export const refuse = (offset: number, reason: string, section: string): Result.Result<never, BmpFault> =>
  Result.fail({ _tag: "BmpFault", offset, reason, section })

/** One line for a log. */
export const formatBmpFault = ({ offset, reason, section }: BmpFault): string =>
  `octet ${offset}: ${reason} (${section})`
