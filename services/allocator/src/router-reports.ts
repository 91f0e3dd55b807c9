import {
  type ReportingRouter,
  type StationEvent,
  type StationListenFailed,
  type StationOptions,
  startStation,
  type ViewChange
} from "@lowtide/bmp"
import { codes } from "@lowtide/domain"
import { type Prefix, parseIpAddress, parsePrefix, prefixContains, prefixCovers } from "@lowtide/net"
import { parseListen } from "@lowtide/ops"
import { Context, Effect, Layer, Metric, Result } from "effect"

/** A router that reports no longer, and why. */
export interface LostRouter {
  readonly address: string
  readonly name: string
  readonly atMs: number
  readonly reason: string
  /** It sent what cannot be read, or too slowly. */
  readonly isFault: boolean
}

/** What routers say by BMP, as far as they say it to this allocator. It is evidence, and decides nothing. */
export interface RoutersHeard {
  /** Whether this allocator listens for routers at all. */
  readonly isListening: boolean
  readonly routers: () => ReadonlyArray<ReportingRouter>
  /** Routers that reported and do not any more, the latest first. */
  readonly lost: () => ReadonlyArray<LostRouter>
  /** Calls with each change, and with routers that report no more, on their turn, until the answer is called: both must be short and must not throw. */
  readonly watch: (onChanged: OnChanged, onLost: OnLost) => () => void
}

/** What a router said anew. */
type OnChanged = (router: ReportingRouter, changes: ReadonlyArray<ViewChange>) => void

/** A router reports no more: what it had said is in its view as it was last. */
type OnLost = (router: ReportingRouter, lost: LostRouter) => void

/** An allocator that hears no routers. */
export const noRouters: RoutersHeard = { isListening: false, routers: () => [], lost: () => [], watch: () => () => {} }

/** What readers ask about routers; nothing is heard unless a station is provided. */
export const RouterReports = Context.Reference<RoutersHeard>("@lowtide/allocator/RouterReports", {
  defaultValue: () => noRouters
})

/** Where routers report to, which may, and what is kept of what they say. */
export interface StationSettings {
  readonly host: string
  readonly port: number
  /** Addresses from which routers may report. */
  readonly from: ReadonlyArray<Prefix>
  /** Only routes within these are kept; all where there are none. */
  readonly prefixes: ReadonlyArray<Prefix>
  /** Routes that are kept of one router. */
  readonly routesMax: number
}

/** Reads the settings of the station; undefined where there is none. Fails with every fault. */
export const readStationSettings = (read: {
  readonly bmpListen: string | undefined
  readonly bmpRouters: string | undefined
  readonly bmpPrefixes: string | undefined
  readonly bmpRoutesMax: number
}): Result.Result<StationSettings | undefined, ReadonlyArray<string>> => {
  const { bmpListen, bmpRouters, bmpPrefixes, bmpRoutesMax: routesMax } = read
  if (bmpListen === undefined) {
    return bmpRouters === undefined && bmpPrefixes === undefined
      ? Result.succeed(undefined)
      : Result.fail([
          "LOWTIDE_BMP_LISTEN: expected it beside LOWTIDE_BMP_ROUTERS and LOWTIDE_BMP_PREFIXES, found nothing"
        ])
  }
  const faults: Array<string> = []
  const listen = Result.getOrUndefined(parseListen(bmpListen))
  if (listen?._tag !== "Tcp" || Result.isFailure(parseIpAddress(listen.host))) {
    faults.push(`LOWTIDE_BMP_LISTEN: expected ADDRESS:PORT or [IPV6]:PORT, found ${JSON.stringify(bmpListen)}`)
  }
  if (bmpRouters === undefined) {
    faults.push(
      "LOWTIDE_BMP_ROUTERS: expected the addresses from which routers may report, since BMP proves nothing, found nothing"
    )
  }
  const from = prefixList("LOWTIDE_BMP_ROUTERS", bmpRouters, faults)
  const prefixes = prefixList("LOWTIDE_BMP_PREFIXES", bmpPrefixes, faults)
  if (routesMax < 1 || routesMax > 10_000_000) {
    faults.push(`LOWTIDE_BMP_ROUTES_MAX: expected 1 to 10000000, found ${routesMax}`)
  }
  if (faults.length > 0 || listen?._tag !== "Tcp") return Result.fail(faults)
  return Result.succeed({ host: listen.host, port: listen.port, from, prefixes, routesMax })
}

const prefixList = (name: string, text: string | undefined, faults: Array<string>): ReadonlyArray<Prefix> =>
  (text ?? "").split(",").flatMap((part) => {
    const trimmed = part.trim()
    if (trimmed === "") return []
    const address = Result.getOrUndefined(parseIpAddress(trimmed))
    if (address !== undefined) return { address, lengthBits: address.family === 4 ? 32 : 128 }
    const prefix = parsePrefix(trimmed)
    if (Result.isSuccess(prefix)) return prefix.success
    faults.push(
      `${name}: expected addresses and prefixes, separated by commas, found ${JSON.stringify(trimmed)}: ${prefix.failure}`
    )
    return []
  })

/** Sessions that are kept of one router, and routers at a time. */
const peersMax = 1_024
const routersMax = 256

/** Routers that are remembered as lost. */
const lostMax = 64

/** The same thing of the same address is logged once in so long, milliseconds. */
const repeatMs = 60_000
/** Addresses and reasons that are remembered as logged. */
const saidMax = 1_000

const ended = Metric.counter("lowtide_bmp_connections_ended_total", {
  description: "BMP connections that ended, by why: refused (not allowed), fault (garbage or too slow) or closed",
  incremental: true
})

/** Listens for routers for as long as the Layer is open; `nowMs` is the time of day. */
export const layerRouterReports = (
  settings: StationSettings | undefined,
  nowMs: () => number = Date.now
): Layer.Layer<never, StationListenFailed> =>
  settings === undefined ? Layer.succeed(RouterReports, noRouters) : Layer.effect(RouterReports, hear(settings, nowMs))

const hear = Effect.fnUntraced(function* (settings: StationSettings, nowMs: () => number) {
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const lost = new Map<string, LostRouter>()
  const said = new Map<string, number>()
  const watchers = new Set<{ readonly onChanged: OnChanged; readonly onLost: OnLost }>()
  for (const reason of ["refused", "fault", "closed"]) {
    yield* Metric.update(Metric.withAttributes(ended, { reason }), 0)
  }
  const count = (reason: string) => run(Metric.update(Metric.withAttributes(ended, { reason }), 1))
  const warn = (key: string, text: string) => {
    const atMs = nowMs()
    if (atMs - (said.get(key) ?? Number.NEGATIVE_INFINITY) < repeatMs) return
    if (said.size >= saidMax) said.clear()
    said.set(key, atMs)
    run(Effect.logWarning(text))
  }
  const onEvent = (event: StationEvent): void => {
    switch (event._tag) {
      case "RouterConnected": {
        const { address, view } = event.router
        lost.delete(address)
        run(Effect.logInfo(`the router ${named(address, view.name)} reports by BMP: ${view.description}`))
        return
      }
      case "RouterLost": {
        const { router, reason, isFault } = event
        const { address, view } = router
        lost.delete(address)
        for (const oldest of lost.keys()) if (lost.size >= lostMax) lost.delete(oldest)
        const found: LostRouter = { address, name: view.name, atMs: nowMs(), reason, isFault }
        lost.set(address, found)
        for (const { onLost } of watchers) onLost(router, found)
        count(isFault ? "fault" : "closed")
        const who = named(address, view.name)
        if (isFault)
          warn(
            `${address} ${reason}`,
            `LT0550 the router ${who} is not heard any more: ${reason}. Fix: ${codes.LT0550.fix}`
          )
        else run(Effect.logInfo(`the router ${who} reports no longer: ${reason}`))
        return
      }
      case "RouterRefused":
        count("refused")
        warn(event.address, `a BMP connection from ${event.address} was refused: ${event.reason}`)
        return
      case "Changed":
        for (const { onChanged } of watchers) onChanged(event.router, event.changes)
        for (const change of event.changes) {
          if (change._tag !== "Doubt") continue
          const who = named(event.router.address, event.router.view.name)
          const table = `what the router ${who} has from ${change.peer.address}`
          warn(
            `${event.router.address} ${change.reason}`,
            `LT0550 ${table} is known in part only: ${change.reason}. Fix: ${codes.LT0550.fix}`
          )
        }
    }
  }
  const station = yield* startStation({ ...optionsOf(settings), nowMs, onEvent })
  yield* Effect.logInfo(`routers may report by BMP to ${settings.host} port ${station.port}`)
  const heard: RoutersHeard = {
    isListening: true,
    routers: station.routers,
    lost: () => [...lost.values()].reverse(),
    watch: (onChanged, onLost) => {
      const watcher = { onChanged, onLost }
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    }
  }
  return heard
})

const named = (address: string, name: string): string => (name === "" ? address : `${name} (${address})`)

const optionsOf = ({
  host,
  port,
  from,
  prefixes,
  routesMax
}: StationSettings): Omit<StationOptions, "nowMs" | "onEvent"> => ({
  host,
  port,
  routersMax,
  isAllowed: (text) => {
    const address = Result.getOrUndefined(parseIpAddress(text))
    return address !== undefined && from.some((prefix) => prefixContains(prefix, address))
  },
  limits: {
    routesMax,
    peersMax,
    isWanted: (route) => prefixes.length === 0 || prefixes.some((prefix) => prefixCovers(prefix, route))
  }
})
