import { Result } from "effect"

/** The largest AS number (RFC 6793). */
export const asnMax = 0xffff_ffff

/** AS_TRANS: stands for a four-octet AS number where only two octets fit (RFC 6793 §9). */
export const asTrans = 23456

/**
 * Reads an AS number of 1..4294967295, asplain or asdot (RFC 5396). AS 0 is refused: RFC 7607. So is a number with a
 * fraction: asdot that YAML read as a number has lost its zeros (1.10 and 1.1 are different AS numbers).
 */
export const parseAsn = (text: string | number): Result.Result<number, string> => {
  const found = String(text)
  const dotted = typeof text === "string" ? /^(\d{1,5})\.(\d{1,5})$/.exec(found) : null
  const high = Number(dotted?.[1] ?? 0)
  const low = Number(dotted?.[2] ?? (/^\d{1,10}$/.test(found) ? found : Number.NaN))
  const value = dotted === null ? low : high <= 0xffff && low <= 0xffff ? high * 0x10000 + low : Number.NaN
  return value >= 1 && value <= asnMax
    ? Result.succeed(value)
    : Result.fail(`expected an AS number of 1..${asnMax}, found ${JSON.stringify(text)}`)
}
