import { isCalendarDay } from "@lowtide/api/parameters"
import { Result } from "effect"

const unitsMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000
}

/** `3s`, `5m`, `2h10m`, `3d4h`: how long ago, in at most two units. Whatever is still to come counts as `0s`. */
export const formatAge = (fromMs: number, nowMs: number): string => {
  const seconds = Math.max(0, Math.floor((nowMs - fromMs) / 1000))
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`
  const days = Math.floor(hours / 24)
  return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`
}

/** `3.2 ms`, `34.1 s`, `2m5s`, `3h10m`: a time between two moments; negative where clocks differ. */
export const formatDuration = (ms: number): string => {
  if (ms < 0) return `-${formatDuration(-ms)}`
  if (ms < 1000) return `${ms} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  return seconds < 3600 ? `${Math.floor(seconds / 60)}m${seconds % 60}s` : formatAge(0, ms)
}

/** `2026-11-23 14:05:01.123` in the zone given. Milliseconds that are not whole keep one more digit of the truth: none. */
export const formatLocal = (instant: string, timeZone: string): string => {
  const date = new Date(instant)
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
    hourCycle: "h23"
  }).formatToParts(date)
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((found) => found.type === type)?.value ?? ""
  return `${part("year")}-${part("month")}-${part("day")} ${part("hour")}:${part("minute")}:${part("second")}.${part("fractionalSecond")}`
}

/**
 * Reads a moment as people write it: RFC 3339; the same without an offset, meaning local time; `30 minutes ago`, `2h`.
 * Answers RFC 3339 in UTC.
 */
export const parseMoment = (text: string, nowMs: number): Result.Result<string, string> => {
  const fault = Result.fail(
    `expected a time like 2026-11-23T14:05:01Z or "30 minutes ago", found ${JSON.stringify(text)}`
  )
  const ago = /^(\d+) ?(s|m|h|d|w)(?:ec(?:ond)?s?|in(?:ute)?s?|ours?|ays?|eeks?)?(?: ago)?$/.exec(text.trim())
  if (ago !== null) {
    return isoOf(nowMs - Number(ago[1]) * (unitsMs[ago[2] ?? ""] ?? Number.NaN)) ?? fault
  }
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/i.test(text.trim())) return fault
  if (!Number.isNaN(Date.parse(text.trim().slice(0, 10))) && !isCalendarDay(text.trim())) return fault
  const hasTime = text.includes(":")
  return isoOf(Date.parse(hasTime ? text.trim() : `${text.trim()}T00:00`)) ?? fault
}

/** Reads a moment to come: how long from now, `90d`, or a time as people write it. Answers RFC 3339 in UTC. */
export const parseExpiry = (text: string, nowMs: number): Result.Result<string, string> => {
  const ahead = /^(\d+)([hdw])$/.exec(text.trim())
  const moment =
    ahead === null
      ? parseMoment(text, nowMs)
      : isoOf(nowMs + Number(ahead[1]) * (unitsMs[ahead[2] ?? ""] ?? Number.NaN))
  const isAhead = moment !== undefined && Result.isSuccess(moment) && Date.parse(moment.success) > nowMs
  return isAhead ? moment : Result.fail(`expected a moment to come, as 90d or a time, found ${JSON.stringify(text)}`)
}

const isoOf = (ms: number): Result.Result<string, string> | undefined => {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? undefined : Result.succeed(date.toISOString())
}
