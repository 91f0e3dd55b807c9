import { isTooDeep, nestingText } from "@lowtide/domain/config/nesting"
import { storableText, unstorableIn } from "@lowtide/domain/config/storable"
import { canonicalAddress, canonicalPrefix } from "@lowtide/domain/config/syntax"
import { eventTypes } from "@lowtide/domain/fleet/event"
import { parseIpAddress, parsePrefix } from "@lowtide/net"
import { Result, Schema } from "effect"

/** A filter for what is stored, or asked of the database: true, or what is expected of it. */
export const isStorable = (value: unknown): true | string => {
  if (isTooDeep(value)) return `expected ${nestingText}, found deeper ones`
  const found = unstorableIn(value)
  return found === undefined || `expected ${storableText}, found ${found}`
}

/** A name that the log is asked about. What is annotated after a check is lost to its description in OpenAPI. */
export const nameText = (description?: string) =>
  (description === undefined ? Schema.String : Schema.String.annotate({ description })).pipe(
    Schema.check(Schema.makeFilter(isStorable))
  )

/** An IPv4 or IPv6 address as a request may write it; `canonicalIp` gives the text that the log uses. */
export const IpText = Schema.String.pipe(
  Schema.check(
    Schema.makeFilter((text: string) => {
      const parsed = parseIpAddress(text)
      return Result.isSuccess(parsed) || parsed.failure
    })
  )
).annotate({ description: "IPv4 or IPv6 address" })

/** The log's own text (RFC 5952) of an address that `IpText` has accepted; of an IPv4-mapped one that of the IPv4 address. */
export const canonicalIp = (text: string): string => Result.getOrThrow(canonicalAddress(text))

/** An address, or a prefix that stands for all addresses in it, as a filter may write it; `addressFilter` reads it. */
export const AddressesText = Schema.String.pipe(
  Schema.check(
    Schema.makeFilter((text: string) => {
      const parsed: Result.Result<unknown, string> = text.includes("/") ? parsePrefix(text) : parseIpAddress(text)
      return Result.isSuccess(parsed) || parsed.failure
    })
  )
).annotate({ description: "IPv4 or IPv6 address, or a prefix without host bits: all addresses in it" })

/** What a text that `AddressesText` has accepted stands for, in the log's own texts. */
export const addressFilter = (text: string): { readonly address: string } | { readonly prefix: string } =>
  text.includes("/") ? { prefix: Result.getOrThrow(canonicalPrefix(text)) } : { address: canonicalIp(text) }

/** What rows of the wire journal are of. */
const wireKinds = ["applied", "session", "status-written", "unread", "router"]

/** A word that the log knows: whoever misspells one is told so, rather than that nothing was found. */
const wordOf = (known: ReadonlyArray<string>, expected: string, description: string) =>
  Schema.String.annotate({ description }).pipe(
    Schema.check(
      Schema.makeFilter((text: string) => {
        if (known.includes(text)) return true
        const near = known.find((word) => word.toLowerCase() === text.toLowerCase())
        return `expected ${near ?? expected}, found ${JSON.stringify(text)}`
      })
    )
  )

/** `type` of an export. */
export const EventTypeText = wordOf(
  Object.keys(eventTypes),
  "a type of event of docs/reference/events.md, like VipAssigned",
  "Event type, `VipAssigned`"
)

/** `type` of a history. */
export const HistoryTypeText = wordOf(
  [...Object.keys(eventTypes), ...wireKinds],
  `a type of event of docs/reference/events.md, like VipAssigned, or one of ${wireKinds.join(", ")}`,
  "Event type, `VipAssigned`, or kind of wire report"
)

/** Whether the calendar has the day that a text begins with: JavaScript takes 30 February for 2 March. */
export const isCalendarDay = (text: string): boolean => {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split("-").map(Number)
  return new Date(Date.UTC(year, month - 1, day)).toISOString().startsWith(text.slice(0, 10))
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/

const isRfc3339 = (text: string): boolean =>
  rfc3339.test(text) && !Number.isNaN(Date.parse(text)) && isCalendarDay(text)

/** In a query a plus stands for a blank, which the offset of a time comes to by oversight. */
const asSent = (text: string): string =>
  `${JSON.stringify(text)}${/:\d{2}(\.\d+)? \d{2}:\d{2}$/.test(text) ? "; write + as %2B" : ""}`

/** A moment as a request may write it: RFC 3339 with its offset. */
export const InstantText = Schema.String.pipe(
  Schema.check(
    Schema.makeFilter((text: string) =>
      isRfc3339(text) ? true : `expected a time like 2026-11-23T14:05:01Z, found ${asSent(text)}`
    )
  )
).annotate({ description: "RFC 3339, with offset" })

/** A time or a place of the log as a request may write it: RFC 3339 with its offset, or the seq of an event. */
export const AtText = Schema.String.pipe(
  Schema.check(
    Schema.makeFilter((text: string) =>
      isSeqText(text) || isRfc3339(text)
        ? true
        : `expected a time like 2026-11-23T14:05:01Z or the seq of an event, found ${asSent(text)}`
    )
  )
).annotate({ description: "RFC 3339 with offset, not in the future, or the seq of an event" })

/** Whether a text that `AtText` takes is a seq. */
export const isSeqText = (text: string): boolean => /^[1-9]\d{0,14}$/.test(text)

/** `at` of a read. */
export const at = Schema.optionalKey(
  AtText.annotate({ description: "The time (RFC 3339 with offset) or the seq of the event to answer for; now without" })
)

/** The most events that one page of the history has. */
export const historyLimitMax = 1000

/** How many events a page has unless asked otherwise. */
export const historyLimitDefault = 100

const integerBetween = (minimum: number, maximum: number) =>
  Schema.NumberFromString.pipe(
    Schema.check(
      Schema.makeFilter((value: number) =>
        Number.isInteger(value) && value >= minimum && value <= maximum
          ? true
          : `expected a whole number from ${minimum} to ${maximum}, found ${value}`
      )
    )
  )

/** `limit` of a page. */
export const Limit = integerBetween(1, historyLimitMax).annotate({
  description: `Events a page, 1 to ${historyLimitMax}; ${historyLimitDefault} unless given`
})

/** The most differences that one page has, and how many it has unless asked otherwise. */
export const diffLimitMax = 10_000

/** `limit` of a page of differences. */
export const DiffLimit = integerBetween(1, diffLimitMax).annotate({
  description: `Differences a page, 1 to ${diffLimitMax}, as many unless given`
})

/** A seq as a cursor. */
export const SeqText = integerBetween(1, Number.MAX_SAFE_INTEGER)

/** Which part of the fleet a list is about. */
export const listFilter = {
  cluster: Schema.optionalKey(nameText("Only this cluster")),
  namespace: Schema.optionalKey(nameText("Only objects of this namespace")),
  at
}

/** The filters of a list, as handlers get them. */
export interface ListFilter {
  readonly cluster?: string
  readonly namespace?: string
}
