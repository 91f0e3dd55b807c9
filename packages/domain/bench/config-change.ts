/**
 * `config-change [ADDRESSES] [ROUNDS]`: what deciding on a change of configuration costs in a cluster of 100,000 addresses,
 * unless given, in memory, by the code of the leading allocator. Each change is decided with the budget asked about it, and as the fleet version before had it, without;
 * and, beside it, a Service is seen while such a change waits. The messages that follow from it are not in it: they are resolved
 * alike in both. Times are of the processor, not of the clock; the median of the rounds.
 */
import { formatIpAddress, type IpAddress, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import { type Command, decide, Fleet, type RawObject, type ServiceObject, streamOf } from "../src/index.ts"

const cluster = "east"
const addressCount = Number(process.argv[2] ?? 100_000)
const nodeCount = 30
const roundCount = Number(process.argv[3] ?? 5)
/** Services of which the time is taken as one: a single one is below what the clock of the processor tells. */
const serviceCount = 500

const object = (kind: string, name: string, spec: object): RawObject => ({
  ...{
    apiVersion: kind === "BGPPeer" ? "metallb.io/v1beta2" : "metallb.io/v1beta1",
    kind,
    namespace: "metallb-system",
    name
  },
  spec
})
const apply = (manifest: RawObject): Command => ({ _tag: "ApplyManifest", cluster, manifest })
const serviceOf = (name: string, tier: string): ServiceObject => ({
  ...{ namespace: "shop", name, uid: name, labels: { tier }, annotations: {}, type: "LoadBalancer" },
  ...{ requestedAddresses: [], ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack", clusterIPs: [] },
  ...{ externalTrafficPolicy: "Cluster", ports: [{ protocol: "TCP", port: 80, name: "" }], selector: { app: name } }
})

/** A cluster as it is loaded at start, each address announced by one Advertisement for all, or for a label that all have. */
const fleetOf = (isByLabels: boolean): Fleet => {
  const fleet = new Fleet()
  const first: IpAddress = Result.getOrThrow(parseIpAddress("10.0.0.0"))
  for (let index = 0; index < nodeCount; index++) {
    const node = { name: `n${index}`, labels: {}, addresses: [`198.18.0.${index + 1}`], networkUnavailable: false }
    run(fleet, { _tag: "ObserveNode", cluster, node })
  }
  run(fleet, apply(object("IPAddressPool", "big", { addresses: ["10.0.0.0/12"] })))
  run(fleet, apply(object("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "198.18.1.1" })))
  run(fleet, apply(advertisement(isByLabels)))
  for (let index = 0; index < addressCount; index++) {
    const name = `s${index}`
    const service = serviceOf(name, "web")
    const address = formatIpAddress({ family: first.family, value: first.value + BigInt(index) })
    const state = { _tag: "Service" as const, cluster, service, servingNodes: [], refusal: null }
    fleet.restore(streamOf.service(cluster, "shop", name), 1, state)
    fleet.restore(streamOf.vip("default", address), 1, {
      _tag: "Vip",
      ...{ network: "default", address, pool: "big", cluster, phase: "assigned" },
      holders: [{ namespace: "shop", name, uid: name, sharingKey: "", ports: ["TCP/80"], backendKey: "" }],
      ...{ lastHolders: [], obliged: [], quarantineEndMs: null }
    })
  }
  return fleet
}

const advertisement = (isByLabels: boolean, more: object = {}): RawObject =>
  object("BGPAdvertisement", "all", {
    ...(isByLabels ? { serviceSelectors: [{ matchLabels: { tier: "web" } }] } : {}),
    ...more
  })

/** Milliseconds of processor time that decisions take. */
const run = (fleet: Fleet, ...commands: ReadonlyArray<Command>): number => {
  const context = { nowMs: 0, obligedOf: () => [], hasConfirmed: () => true }
  const start = process.threadCpuUsage()
  for (const command of commands) Result.getOrThrow(decide(fleet, command, context))
  const { user, system } = process.threadCpuUsage(start)
  return (user + system) / 1000
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** The same two commands, there and back, with the budget and without, in turn. */
const compare = (figure: string, fleet: Fleet, there: Command, back: Command): void => {
  const times: { with: Array<number>; without: Array<number> } = { with: [], without: [] }
  const newest = fleet.fleetVersion
  for (let round = 0; round < roundCount; round++) {
    for (const side of ["with", "without"] as const) {
      fleet.fleetVersion = side === "with" ? newest : 1
      times[side].push(run(fleet, there))
      run(fleet, back)
    }
  }
  fleet.fleetVersion = newest
  print(figure, { value: median(times.with), baseline: median(times.without), baselineName: "the budget not asked" })
}

const print = (
  figure: string,
  {
    value,
    baseline,
    baselineName
  }: { readonly value: number; readonly baseline: number; readonly baselineName: string }
): void => {
  const rounded = (number: number) => Number(number.toPrecision(3))
  const ratio = rounded(value / baseline)
  const line = {
    bench: "config-change",
    figure,
    value: rounded(value),
    unit: "ms",
    baseline: rounded(baseline),
    baselineName,
    ratio
  }
  console.log(JSON.stringify(line))
}

for (const isByLabels of [false, true]) {
  const fleet = fleetOf(isByLabels)
  const kind = isByLabels ? "an Advertisement by labels of Services" : "an Advertisement for all"
  const whole = apply(advertisement(isByLabels))
  compare(`${kind} changes, and takes nothing`, fleet, apply(advertisement(isByLabels, { localPref: 50 })), whole)
  const remove: Command = {
    ...{ _tag: "DeleteManifest", cluster, kind: "BGPAdvertisement" },
    namespace: "metallb-system",
    name: "all"
  }
  compare(`${kind} is deleted, and ${addressCount.toLocaleString("en")} addresses wait`, fleet, remove, whole)
  const see = (name: string): Command => ({ _tag: "ObserveService", cluster, service: serviceOf(name, "web") })
  const seeMany = (kind: string): number => {
    const commands = Array.from({ length: serviceCount }, (_, index) => see(`${kind}-${index}`))
    return run(fleet, ...commands) / serviceCount
  }
  const free = seeMany("free")
  run(fleet, remove)
  seeMany("first")
  const waiting = seeMany("waiting")
  print(`a Service is seen while that waits: ${kind}`, {
    ...{ value: waiting, baseline: free, baselineName: "nothing waits" }
  })
}
