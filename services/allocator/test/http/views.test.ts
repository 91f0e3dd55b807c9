import { describe, expect, it } from "@effect/vitest"
import { decide, streamOfVip } from "@lowtide/domain"
import { memoryLedger } from "@lowtide/testkit/memory-ledger"
import { manifestObject } from "@lowtide/testkit/observed"
import { Effect, Result } from "effect"
import type { CommittedView } from "../../src/centre.ts"
import { fleetSamples } from "../../src/http/metrics.ts"
import { addressPoolFindings, findingList } from "../../src/http/views/findings.ts"
import { nodeList } from "../../src/http/views/nodes.ts"
import { peerList } from "../../src/http/views/peers.ts"
import { poolList } from "../../src/http/views/pools.ts"
import { serviceList } from "../../src/http/views/services.ts"
import { describeWire } from "../../src/http/views/wire-rows.ts"
import { commitSample, startMs } from "./sample.ts"

const nowMs = startMs + 60_000

/** When east-2, which is silent at `nowMs`, had just been heard. */
const earlierMs = nowMs - 120_000

const viewed = (check: (view: CommittedView) => void) =>
  Effect.suspend(() => {
    const clock = { nowMs: startMs }
    return commitSample(clock).pipe(Effect.map(check), Effect.provide(memoryLedger({ nowMs: () => clock.nowMs })))
  })

describe("services", () => {
  it.effect("says where each stands, with its announcers, and leaves out what wants no address", () =>
    viewed((view) => {
      const { items, position, asOf } = serviceList(view, { cluster: "east" }, nowMs)
      expect(items.map(({ name, state }) => [name, state])).toEqual([
        ["api", "Pending"],
        ["broken", "Invalid"],
        ["local", "Assigned"],
        ["web", "Announced"]
      ])
      expect(items[3]).toMatchObject({
        addresses: [{ address: "192.0.2.1", pool: "public", leaving: false }],
        announcing: ["east-1"],
        eligible: ["east-1", "east-2"],
        candidates: ["east-1", "east-2", "east-3"],
        refusal: null
      })
      expect(position).toBe(view.head.seq)
      expect(asOf).toBe(view.head.recordedAt)
    })
  )

  it.effect("says that one of two addresses is announced by nobody", () =>
    viewed((view) => {
      const [vip] = [...view.fleet.vips.values()].filter(({ address }) => address === "192.0.2.1")
      if (vip === undefined) throw new Error("expected the address of web")
      const other = { ...vip, address: "2001:db8::9" }
      view.fleet.vips.set(streamOfVip(other), other)
      view.fleet.cluster("east").addressesOf.get("shop/web")?.push(other.address)
      const stateOf = (announcing: ReadonlyArray<string>) => {
        const nodes = new Map(
          [...view.nodes].map(([key, heard]) => [key, { ...heard, status: { ...heard.status, announcing } }])
        )
        return serviceList({ ...view, nodes }, { cluster: "east" }, nowMs).items.find(({ name }) => name === "web")
          ?.state
      }
      expect(stateOf(["192.0.2.1"])).toBe("Partial")
      expect(stateOf(["192.0.2.1", "2001:db8::9"])).toBe("Announced")
      expect(stateOf([])).toBe("Assigned")
    })
  )

  it.effect("counts under policy Local only nodes with an endpoint of their own as eligible", () =>
    viewed((view) => {
      const local = serviceList(view, { cluster: "east" }, nowMs).items.find(({ name }) => name === "local")
      expect(local).toMatchObject({ eligible: ["east-2"], announcing: [] })
    })
  )

  it.effect("carries the refusal with code, message and fix, and the findings of a manifest that cannot be read", () =>
    viewed((view) => {
      const { items } = serviceList(view, { cluster: "east" }, nowMs)
      expect(items[0]?.refusal?.code).toBe("LT0202")
      expect(items[0]?.refusal?.message).toContain("203.0.113.9")
      expect(items[0]?.refusal?.fix).not.toBe("")
      expect(items[1]?.since).toBe(new Date(startMs + 14_000).toISOString())
      expect(items[1]?.findings.map(({ code, field }) => [code, field])).toEqual([["LT0107", "spec.type"]])
    })
  )

  it.effect("filters by namespace", () =>
    viewed((view) => {
      expect(serviceList(view, { namespace: "nowhere" }, nowMs).items).toEqual([])
      expect(serviceList(view, { namespace: "shop" }, nowMs).items).toHaveLength(5)
    })
  )
})

describe("pools", () => {
  it.effect("counts what is given out here and elsewhere, and what avoidBuggyIPs leaves out", () =>
    viewed((view) => {
      const pools = poolList(view, {}).items
      expect(pools.map(({ cluster, name, state }) => [cluster, name, state])).toEqual([
        ["east", "public", "Accepted"],
        ["east", "twice", "Refused"],
        ["east", "wide", "Accepted"],
        ["west", "public", "Accepted"]
      ])
      // of 16 addresses .1 and .2 are east's and .0 is west's, which is the only one that east would avoid
      expect(pools[0]).toMatchObject({ total: "16", assigned: 2, elsewhere: 1, available: "13", priority: 10 })
      expect(pools[3]).toMatchObject({ total: "16", assigned: 1, elsewhere: 2, available: "13", priority: null })
    })
  )

  it.effect("counts IPv4 and IPv6 apart", () =>
    viewed((view) => {
      const [narrow, , wide] = poolList(view, {}).items
      expect([narrow?.ipv4, narrow?.ipv6]).toEqual([
        { total: "16", assigned: 2, withdrawing: 0, quarantined: 0, reserved: 0, elsewhere: 1, available: "13" },
        null
      ])
      expect(wide).toMatchObject({ ipv4: null, ipv6: { total: "18446744073709551616", assigned: 0 } })
    })
  )

  it.effect("counts a /64 exactly", () =>
    viewed((view) => {
      const wide = poolList(view, {}).items.find(({ name }) => name === "wide")
      expect(wide).toMatchObject({
        total: "18446744073709551616",
        available: "18446744073709551616",
        autoAssign: false
      })
    })
  )

  it.effect("shows a refused pool with its ranges and why", () =>
    viewed((view) => {
      const twice = poolList(view, {}).items.find(({ name }) => name === "twice")
      expect(twice).toMatchObject({ ranges: ["192.0.2.8-192.0.2.20"], available: "0" })
      expect(twice?.findings[0]?.code).toBe("LT0121")
    })
  )
})

describe("peers and nodes", () => {
  it.effect("show one session a node, whether its speaker was heard or not", () =>
    viewed((view) => {
      const [peer] = peerList(view, {}, earlierMs).items
      expect(peer).toMatchObject({ name: "tor-a", state: "Accepted", peerAsn: 64496, peerPort: 179 })
      expect(peer?.sessions.map(({ node, state, sync, lastErrorCode }) => [node, state, sync, lastErrorCode])).toEqual([
        ["east-1", "Established", "live", null],
        ["east-2", "Idle", "live", "LT0302"],
        ["east-3", "Unknown", "unknown", null]
      ])
      expect(peer?.sessions.map(({ bfd }) => bfd)).toEqual(["Up", undefined, undefined])
      expect(peer?.findings.map(({ field, code, fix }) => [field, code, fix])).toEqual([
        ["session[east-2]", "LT0302", expect.stringMatching(/^Correct spec\.myASN of the BGPPeer, or the AS that/)]
      ])
    })
  )

  it.effect("call a speaker silent 45 s after its last status, and not before", () =>
    viewed((view) => {
      const syncAt = (ms: number) => nodeList(view, {}, ms).items[0]?.sync
      expect(syncAt(nowMs + 45_000)).toBe("live")
      expect(syncAt(nowMs + 45_001)).toBe("silent")
      const [first, second, third] = nodeList(view, {}, nowMs).items
      expect(first).toMatchObject({ sessions: { up: 1, total: 1 }, announcing: 1, excluded: null })
      expect(second).toMatchObject({ sessions: { up: 0, total: 1 }, sync: "silent" })
      expect(second?.refused[0]?.code).toBe("LT0401")
      expect(third).toMatchObject({ sync: "unknown", lastHeard: null, excluded: "label" })
    })
  )
})

describe("findings", () => {
  it.effect("of a follower say that those of the leader lack, where a node holds something from before the loss", () =>
    viewed((view) => {
      const nodes = new Map(
        [...view.nodes].map(([key, heard]) => [key, { ...heard, status: { ...heard.status, former: 1 } }])
      )
      const lost = Object.create(view.fleet, { recovery: { value: { _tag: "Recovery" } } }) as typeof view.fleet
      const lacks = (seen: CommittedView, filter = {}) => findingList(seen, filter, nowMs, "unknown").lacks
      expect(lacks({ ...view, fleet: lost, nodes })).toEqual(["LT0522"])
      expect(lacks({ ...view, fleet: lost, nodes }, { cluster: "west" })).toBeUndefined()
      expect(lacks({ ...view, fleet: lost })).toBeUndefined()
      expect(lacks({ ...view, nodes })).toBeUndefined()
      expect(findingList({ ...view, fleet: lost, nodes }, {}, nowMs).lacks).toBeUndefined()
    })
  )

  it.effect("are those of objects, of refused Services and of sessions", () =>
    viewed((view) => {
      const found = findingList(view, {}, earlierMs).items.map(
        ({ object, code }) => `${object.kind} ${object.name} ${code}`
      )
      expect(found).toEqual([
        "BGPPeer tor-a LT0302",
        "IPAddressPool twice LT0121",
        "Service api LT0202",
        "Service broken LT0107"
      ])
      for (const item of findingList(view, {}, earlierMs).items) {
        expect(item.fix).not.toBe("")
        expect(item.message).toContain(item.object.name)
      }
    })
  )

  it.effect("are those of pools of the fleet that no cluster draws from, which are of no cluster", () =>
    viewed((view) => {
      const manifest = manifestObject(
        "AddressPool",
        "nobody",
        { addresses: ["203.0.113.0/28"], clusterSelector: { matchLabels: { region: "fra" } } },
        { apiVersion: "lowtide.dev/v1alpha1", namespace: "" }
      )
      const context = { nowMs, obligedOf: () => [], hasConfirmed: () => false }
      expect(Result.isSuccess(decide(view.fleet, { _tag: "ApplyFleetObject", manifest }, context))).toBe(true)
      const found = (filter: { readonly cluster?: string }) =>
        findingList(view, filter, earlierMs).items.filter(({ code }) => code === "LT0162")
      expect(found({}).map(({ cluster, object }) => [cluster, object.name])).toEqual([["", "nobody"]])
      expect(found({ cluster: "east" })).toEqual([])
      expect(addressPoolFindings(view, "nobody")).toEqual(found({}))
      expect(addressPoolFindings(view, "none")).toEqual([])
    })
  )

  it.effect("are those of sessions that BFD is to guard and cannot, though they are up", () =>
    viewed((view) => {
      const bfdFault = { code: "LT0312", message: "connect ENOENT" }
      const nodes = new Map(
        [...view.nodes].map(([key, heard]) => [
          key,
          {
            ...heard,
            status: { ...heard.status, sessions: heard.status.sessions.map((each) => ({ ...each, bfdFault })) }
          }
        ])
      )
      const found = findingList({ ...view, nodes }, {}, earlierMs).items.map(({ field, code }) => `${code} ${field}`)
      expect(found.filter((text) => text.includes("session["))).toEqual([
        "LT0312 session[east-1]",
        "LT0302 session[east-2]",
        "LT0312 session[east-2]"
      ])
    })
  )

  it.effect(
    "are those of reports that could not be read, for an hour, at their node or, of an agent, its cluster",
    () =>
      viewed((view) => {
        const row = (node: string, afterMs: number) => ({
          ...{ id: 1, cluster: "east", node, kind: "unread", detail: JSON.stringify({ count: 3, why: "found {" }) },
          recordedAt: new Date(nowMs + afterMs).toISOString()
        })
        const seen = { ...view, unread: [row("east-1", 5_000), row("agent", 0), row("east-1", 0)] }
        const told = (ms: number) => findingList(seen, {}, ms).items.filter(({ code }) => code === "LT0510")
        expect(told(nowMs + 10_000).map(({ object, field, since }) => [object, field, since])).toEqual([
          [{ kind: "Cluster", name: "east" }, "reports[agent]", row("", 0).recordedAt],
          [{ kind: "Node", name: "east-1" }, "", row("", 0).recordedAt]
        ])
        expect(nodeList(seen, {}, nowMs + 10_000).items[0]?.findings[0]?.found).toMatch(/^6 that cannot .*: found \{$/)
        expect(told(nowMs + 3_605_001)).toEqual([])
        expect(describeWire(row("east-1", 0), undefined)).toMatchObject({
          ...{ what: "3 reports of what it told its routers are missing of east-1: found {", code: "LT0510" }
        })
      })
  )
})

describe("a speaker that refuses what it is told", () => {
  it.effect("is a finding of its node while it lacks something", () =>
    viewed((view) => {
      const refused = [
        { code: "LT0401", message: "head: a bad signature", at: "2026-01-01T00:00:01.000Z" },
        { code: "LT0401", message: 'head: expected a key of [a], found "b"', at: "2026-01-01T00:00:02.000Z" }
      ]
      const told = (sync: "live" | "stale", ms = nowMs) => {
        const nodes = new Map(
          [...view.nodes].map(([key, heard]) => [key, { ...heard, status: { ...heard.status, sync, refused } }])
        )
        return findingList({ ...view, nodes }, { cluster: "east" }, ms).items.filter(({ field }) => field === "refused")
      }
      expect(told("stale").map(({ object, code, since, found }) => [object, code, since, found])).toEqual([
        [{ kind: "Node", name: "east-1" }, "LT0401", refused[1]?.at, refused[1]?.message]
      ])
      expect(told("live")).toEqual([])
      expect(told("stale", nowMs + 60_000)).toEqual([])
    })
  )

  it.effect("is one as long as it refuses anything, whatever else it holds, with how much that is", () =>
    viewed((view) => {
      const since = "2026-01-01T00:00:01.000Z"
      const refusing = [
        { code: "LT0401", count: 3, message: 'adv.x: expected a key of [a], found "b"', since },
        { code: "LT0402", count: 1, message: "VIP 192.0.2.1: outside", since }
      ]
      const seen = (ms: number) => {
        const nodes = new Map(
          [...view.nodes].map(([key, heard]) => [key, { ...heard, status: { ...heard.status, refusing } }])
        )
        return { list: findingList({ ...view, nodes }, { cluster: "east" }, ms), nodes: { ...view, nodes } }
      }
      const told = seen(nowMs).list.items.filter(({ field }) => field === "refused")
      expect(told.map(({ object, code, since, found }) => [object.name, code, since, found])).toEqual([
        ["east-1", "LT0401", since, 'adv.x: expected a key of [a], found "b", and 2 more'],
        ["east-1", "LT0402", since, "VIP 192.0.2.1: outside"]
      ])
      const codesOf = nodeList(seen(nowMs).nodes, { cluster: "east" }, nowMs).items[0]?.findings.map(({ code }) => code)
      expect(codesOf).toEqual(["LT0401", "LT0402"])
      expect(seen(nowMs + 60_000).list.items.filter(({ field }) => field === "refused")).toEqual([])
    })
  )
})

describe("a node that says more than it proves", () => {
  it.effect("is a finding of its cluster, and shown with the node", () =>
    viewed((view) => {
      const stamp = { incarnation: 1, epoch: 2, seq: 5_120 }
      const said = { cluster: "east", node: "east-1", stamp, why: "it sends nothing", saidAtMs: nowMs }
      const seen = { ...view, unproven: () => [said, { ...said, cluster: "west" }] }
      const found = findingList(seen, { cluster: "east" }, nowMs).items.filter(({ code }) => code === "LT0511")
      expect(found.map(({ object, found, severity }) => [object.name, found, severity])).toEqual([
        ["east-1", "1/2/5120: it sends nothing", "error"]
      ])
      expect(nodeList(seen, { cluster: "east" }, nowMs).items[0]?.findings.map(({ code }) => code)).toEqual(["LT0511"])
    })
  )
})

describe("a silent speaker", () => {
  /** When east-1, which announced 192.0.2.1 over an established session, has been silent for 46 s. */
  const silentMs = nowMs + 46_000

  it.effect("is not said to announce anything", () =>
    viewed((view) => {
      const web = (ms: number) => serviceList(view, { cluster: "east" }, ms).items.find(({ name }) => name === "web")
      expect(web(nowMs)).toMatchObject({ state: "Announced", announcing: ["east-1"] })
      expect(web(silentMs)).toMatchObject({ state: "Assigned", announcing: [], eligible: ["east-1", "east-2"] })
      expect(nodeList(view, {}, silentMs).items[0]).toMatchObject({ sessions: { up: 0, total: 1 }, announcing: 0 })
    })
  )

  it.effect("has sessions of which nothing is known, and no findings of them", () =>
    viewed((view) => {
      const [peer] = peerList(view, {}, silentMs).items
      expect(peer?.sessions.slice(0, 2)).toEqual(
        ["east-1", "east-2"].map((node) => ({
          node,
          state: "Unknown",
          since: null,
          prefixes: 0,
          lastError: null,
          lastErrorCode: null,
          sync: "silent"
        }))
      )
      expect(peer?.findings).toEqual([])
      const sessions = fleetSamples(view, silentMs).filter(({ name }) => name === "lowtide_sessions")
      expect(sessions.map(({ labels, value }) => [labels.state, value])).toEqual([["Unknown", 3]])
    })
  )

  it.effect("is a finding of its node, and one that was never heard is none", () =>
    viewed((view) => {
      const found = findingList(view, { cluster: "east" }, silentMs).items.filter(({ code }) => code === "LT0307")
      expect(found.map(({ object, since, severity }) => [object, since, severity])).toEqual([
        [{ kind: "Node", name: "east-1" }, new Date(nowMs).toISOString(), "warning"],
        [{ kind: "Node", name: "east-2" }, new Date(nowMs - 120_000).toISOString(), "warning"]
      ])
      expect(found[0]?.message).toBe(
        "Node east-1: speaker silent: expected a status every 20 s at least, found last heard 46 s ago"
      )
      expect(nodeList(view, {}, silentMs).items.map(({ findings }) => findings.map(({ code }) => code))).toEqual([
        ["LT0307"],
        ["LT0307"],
        []
      ])
    })
  )
})
