/**
 * `allocate`: decisions a second in memory, no database: a Service is seen and gets an address, by the code and with the
 * memory of the leading allocator, which holds a million addresses already. Pools of several sizes, fresh and 99.9 %
 * full, the free addresses of a full one scattered at random. What each round gave out is given back, unmeasured,
 * before the next; so later rounds find addresses that somebody once had. Times are of the processor, not of the clock.
 * `allocate [HELD] [ROUNDS]`: a million and 20 unless given; a small full pool is less full than that.
 */
import { formatIpAddress, type IpAddress, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import { type Command, type DecisionContext, decide, Fleet, streamOf } from "../src/index.ts"

const heldCount = Number(process.argv[2] ?? 1_000_000)
/** Of a full pool: as many as are held, in round numbers. */
const fullBits = Math.ceil(Math.log2(heldCount))
const decisionCount = 500
const roundCount = Number(process.argv[3] ?? 20)
const warmUpCount = roundCount >> 1

interface Case {
  readonly name: string
  readonly range: string
  readonly first: string
  /** How many addresses the pool has of which some may be held; undefined: far more than are held. */
  readonly size: number
  readonly held: number
}

/** Addresses of which all but one in a thousand are held. */
const full = {
  size: 2 ** fullBits,
  held: Math.floor(Math.min(2 ** fullBits * 0.999, 2 ** fullBits - 2 * decisionCount))
}

const fullness = `${((full.held / full.size) * 100).toPrecision(3)} % full`

const empty: Case = { name: "an empty fleet, a /11", range: "10.0.0.0/11", first: "10.0.0.0", size: 2 ** 21, held: 0 }

/** Cases of one group are measured in turn, round by round, so that what else runs on the machine meets them alike. */
const groups: ReadonlyArray<readonly [fresh: Case, full?: Case]> = [
  [
    { name: "a /11, fresh", range: "10.0.0.0/11", first: "10.0.0.0", size: 2 ** 21, held: heldCount },
    { name: `a /${32 - fullBits}, ${fullness}`, range: `10.0.0.0/${32 - fullBits}`, first: "10.0.0.0", ...full }
  ],
  [{ name: "a /8, fresh", range: "10.0.0.0/8", first: "10.0.0.0", size: 2 ** 24, held: heldCount }],
  [
    { name: "an IPv6 /64, fresh", range: "2001:db8::/64", first: "2001:db8::", size: 2 ** 32, held: heldCount },
    {
      ...{ name: `an IPv6 /${128 - fullBits}, ${fullness}`, range: `2001:db8::/${128 - fullBits}` },
      ...{ first: "2001:db8::", ...full }
    }
  ]
]

const context = (nowMs: number): DecisionContext => ({ nowMs, obligedOf: () => [], hasConfirmed: () => true })

/** A small generator of pseudo-random numbers (mulberry32): the same holes in every run. */
const randomFrom = (seed: number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A budget for withdrawals that a round does not use up: what it gave is given back at once, which is no news. */
const noBudget = { maxWithdrawPercent: 100, maxWithdrawRoutes: 100 * decisionCount }
const settings = {
  ...{ apiVersion: "lowtide.dev/v1alpha1", kind: "Fleet", namespace: "", name: "bench" },
  spec: { blastRadius: { ...noBudget, perCluster: noBudget } }
}

const fleetOf = ({ range, first, size, held }: Case): Fleet => {
  const fleet = new Fleet()
  Result.getOrThrow(decide(fleet, { _tag: "ApplyFleetObject", manifest: settings }, context(0)))
  const spec = { addresses: [range] }
  const manifest = {
    apiVersion: "metallb.io/v1beta1",
    kind: "IPAddressPool",
    namespace: "metallb-system",
    name: "big",
    spec
  }
  decide(fleet, { _tag: "ApplyManifest", cluster: "east", manifest }, context(0))
  const start: IpAddress = Result.getOrThrow(parseIpAddress(first))
  const holes = size === full.size ? holesOf(size, size - held) : new Set<number>()
  for (let offset = 0, count = 0; count < held; offset++) {
    if (holes.has(offset)) continue
    const address = formatIpAddress({ family: start.family, value: start.value + BigInt(offset) })
    const name = `held-${offset}`
    fleet.restore(streamOf.vip("default", address), 1, {
      _tag: "Vip",
      ...{ network: "default", address, pool: "big", cluster: "east", phase: "assigned" },
      holders: [{ namespace: "shop", name, uid: name, sharingKey: "", ports: ["TCP/80"], backendKey: "" }],
      lastHolders: [],
      obliged: [],
      quarantineEndMs: null
    })
    count++
  }
  return fleet
}

const holesOf = (size: number, count: number): ReadonlySet<number> => {
  const random = randomFrom(1)
  const holes = new Set<number>()
  while (holes.size < count) holes.add(Math.floor(random() * size))
  return holes
}

const observe = (name: string, isIpv6: boolean): Command => ({
  _tag: "ObserveService",
  cluster: "east",
  service: {
    ...{ namespace: "shop", name, uid: name, labels: {}, annotations: {}, type: "LoadBalancer" },
    requestedAddresses: [],
    ipFamilies: [isIpv6 ? "IPv6" : "IPv4"],
    ipFamilyPolicy: "SingleStack",
    clusterIPs: [],
    externalTrafficPolicy: "Cluster",
    ports: [{ protocol: "TCP", port: 80, name: "" }],
    selector: { app: name }
  }
})

/** A fleet to be asked in rounds, each of which answers the microseconds of processor time that a decision took. */
const asked = (each: Case) => {
  const fleet = fleetOf(each)
  const isIpv6 = each.range.includes(":")
  let nowMs = 0
  return (index: number): number => {
    const names = Array.from({ length: decisionCount }, (_, count) => `new-${index}-${count}`)
    const commands = names.map((name) => observe(name, isIpv6))
    const start = process.threadCpuUsage()
    for (const command of commands) decide(fleet, command, context(nowMs))
    const { user, system } = process.threadCpuUsage(start)
    const cluster = fleet.cluster("east")
    for (const name of names) {
      if (cluster.addressesOf.get(`shop/${name}`)?.length !== 1) throw new Error(`${each.name}: ${name} got no address`)
      decide(fleet, { _tag: "ForgetService", cluster: "east", namespace: "shop", name }, context(nowMs))
    }
    nowMs += 3_600_000
    decide(fleet, { _tag: "ExpireQuarantines" }, context(nowMs))
    return (user + system) / decisionCount
  }
}

/** The median round of each case. */
const measure = (cases: ReadonlyArray<Case>): ReadonlyArray<number> => {
  const rounds = cases.map(asked)
  const measured: ReadonlyArray<Array<number>> = cases.map(() => [])
  for (let index = 0; index < warmUpCount + roundCount; index++) {
    for (const [which, round] of rounds.entries()) {
      const microseconds = round(index)
      if (index >= warmUpCount) measured[which]?.push(microseconds)
    }
  }
  return measured.map(median)
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
const rounded = (value: number): number => Number(value.toPrecision(4))

const print = (figure: string, unit: string, value: number, baseline: number, baselineName: string): void => {
  const line = { bench: "allocate", figure, value: rounded(value), unit, baseline: rounded(baseline), baselineName }
  process.stdout.write(`${JSON.stringify({ ...line, ratio: rounded(value / baseline) })}\n`)
}

measure([empty]) // warms the code up
const [emptyTime = Number.NaN] = measure([empty])
for (const group of groups) {
  const cases = group.filter((each) => each !== undefined)
  const times = measure(cases)
  for (const [index, { name }] of cases.entries()) {
    const time = times[index] ?? Number.NaN
    print(`decisions in ${name}`, "decisions/s", 1e6 / time, 1e6 / emptyTime, empty.name)
  }
  const [fresh, full] = cases
  const [freshTime = Number.NaN, fullTime = Number.NaN] = times
  if (fresh !== undefined && full !== undefined) {
    print(`a decision in ${full.name}`, "us", fullTime, freshTime, fresh.name)
  }
}
