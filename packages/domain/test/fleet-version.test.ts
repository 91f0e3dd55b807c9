import { Result } from "effect"
import { assert, describe, it } from "vitest"
import { vipKey } from "../src/announcing/index.ts"
import {
  type DomainEvent,
  Draft,
  eventTypes,
  Fleet,
  featuresSince,
  newestFleetVersion,
  offAt,
  sinceOfEvent,
  stateShapes,
  streamOf,
  writeEvent
} from "../src/index.ts"
import { Choices, randomCommand } from "./random-fleet.ts"
import { storedAt } from "./stored-at.ts"
import { announcing, apply, fleetObject, observe, pool, raw, service, World } from "./world.ts"

/** A fleet whose log was begun by the first release. */
const atVersion = (version: number): World => {
  const world = new World()
  world.fleet.fleetVersion = version
  return world
}

const finalise = (version: number) => ({ _tag: "FinaliseFleet", version }) as const

const addressPool = fleetObject("AddressPool", "shared", { addresses: ["192.0.2.0/24"] })

const unreadable = (log: ReadonlyArray<DomainEvent>, written: number, reader: number): ReadonlyArray<string> => {
  const { readEvent } = storedAt(reader)
  return log.flatMap(({ stream, type, before, after }, index) => {
    const read = readEvent({ seq: index + 1, stream, type, ...writeEvent({ before, after }, written) })
    return Result.isFailure(read) ? [type] : []
  })
}

describe("a fleet's version", () => {
  it("is the newest where the log begins, and is finalised once", () => {
    const world = new World()
    const [event] = world.do({ ...finalise(newestFleetVersion), isFirst: true })
    assert.deepInclude(event, {
      stream: streamOf.fleetVersion(),
      type: "FleetVersionFinalised",
      reason: "log-begun",
      before: null,
      after: { _tag: "FleetVersion", version: newestFleetVersion }
    })
    assert.deepStrictEqual(world.do(finalise(newestFleetVersion)), [])
  })

  it("rises by a finalisation, never falls, and is not what this release does not know", () => {
    const world = atVersion(1)
    const [event] = world.do(finalise(2))
    assert.deepInclude(event, { reason: "requested", before: null, after: { _tag: "FleetVersion", version: 2 } })
    assert.strictEqual(world.fleet.fleetVersion, 2)
    assert.deepStrictEqual(world.do(finalise(1)), [])
    assert.deepStrictEqual(world.do(finalise(newestFleetVersion + 1)), [])
    assert.strictEqual(world.rejection?.code, "LT0542")
    assert.strictEqual(world.fleet.fleetVersion, 2)
  })
})

describe("what came with a version", () => {
  it("is off until then, by name", () => {
    assert.includeMembers([...offAt(1)], ["AddressPool", "AddressPoolApplied", "poolQuarantine"])
    assert.deepStrictEqual(offAt(newestFleetVersion), [])
  })

  it("is of a version that this release has", () => {
    const all = [
      ...Object.values(featuresSince),
      ...Object.keys(eventTypes).map((type) => sinceOfEvent(type as keyof typeof eventTypes))
    ]
    for (const since of all) assert.isTrue(since >= 1 && since <= newestFleetVersion)
    for (const [tag, versions] of Object.entries(stateShapes)) {
      const later = versions.slice(1) as unknown as ReadonlyArray<{ readonly since: number }>
      for (const { since } of later) assert.isAtMost(since, newestFleetVersion, tag)
    }
  })

  it("is never emitted before", () => {
    const fleet = new Fleet()
    fleet.fleetVersion = 1
    const draft = new Draft(fleet, { nowMs: 0, obligedOf: () => [], hasConfirmed: () => false })
    const event: DomainEvent = {
      ...{ stream: "fleet:other", type: "FleetVersionFinalised", reason: "requested" },
      ...{ before: null, after: null, about: {} }
    }
    assert.throws(() => draft.emit(event), /expected no FleetVersionFinalised before fleet version 2, found version 1/)
  })
})

describe("a kind of the fleet's own objects", () => {
  it("is refused before its version is finalised, with what to do, and changes nothing", () => {
    const order = { _tag: "ApplyFleetObject", manifest: addressPool } as const
    const world = atVersion(1)
    assert.deepStrictEqual([world.do(order), world.rejection?.code], [[], "LT0543"])
    assert.match(world.rejection?.message ?? "", /expected fleet version 2 for AddressPool, found version 1/)
    world.do(finalise(2))
    assert.deepStrictEqual(
      world.do(order).map(({ type }) => type),
      ["AddressPoolApplied"]
    )
  })
})

describe("a peer that an older speaker would misread", () => {
  it("is not told to nodes before its version is finalised, and to all of them then", () => {
    const world = atVersion(1)
    announcing(world, "east")
    const spec = { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.2" }
    for (const [name, more] of Object.entries({
      ...{ "by-interface": { interface: "eth0", peerAddress: null }, "in-a-vrf": { vrf: "red" } },
      ...{ secret: { passwordSecret: { name: "s" }, peerAddress: "10.1.0.3" } },
      ...{ hidden: { localASN: 64510, peerAddress: "10.1.0.4" } },
      ...{ any: { dynamicASN: "external", peerASN: null, peerAddress: "10.1.0.5" } }
    })) {
      world.do(apply("east", raw("BGPPeer", name, { ...spec, ...more })))
    }
    const told = () => {
      const message = world.message("east", "node.east-1")
      return message?._tag === "NodeIntent" ? message.peers.map(({ name }) => name).sort() : []
    }
    for (const [index, [name, text]] of Object.entries({
      ...{ "ttl-security-hops": "1", "maximum-prefixes": "1000", role: "customer", standby: "none" }
    }).entries()) {
      const manifest = raw("BGPPeer", name, { ...spec, peerAddress: `10.1.1.${index}` })
      world.do(apply("east", { ...manifest, annotations: { [`lowtide.dev/${name}`]: text } }))
    }
    assert.deepStrictEqual(told(), ["tor"])
    world.do(finalise(2))
    assert.deepStrictEqual(told(), [
      ...["any", "by-interface", "hidden", "in-a-vrf", "maximum-prefixes"],
      ...["role", "secret", "standby", "tor", "ttl-security-hops"]
    ])
  })
})

describe("what an older speaker would tell a route without", () => {
  it("is not told before its version is finalised, and is then", () => {
    const world = atVersion(1)
    announcing(world, "east")
    const annotations = { "lowtide.dev/med": "50", "lowtide.dev/as-path-prepend": "2" }
    world.do(apply("east", raw("BGPAdvertisement", "all", {}, { annotations })))
    for (const command of [apply("east", pool("public", ["192.0.2.0/32"])), observe("east", service("web"))])
      world.do(command)
    const told = () => {
      const message = world.message("east", vipKey("192.0.2.0"))
      return message?._tag === "VipIntent" ? message.routes.map(({ med, prepend }) => [med, prepend]) : []
    }
    assert.deepStrictEqual(told(), [[undefined, undefined]])
    world.do(finalise(2))
    assert.deepStrictEqual(told(), [[50, 2]])
  })
})

describe("whose a route of a shared address is", () => {
  it("is not said before its version is finalised, and is then: a speaker of before announces it for any", () => {
    const world = atVersion(1)
    announcing(world, "east")
    world.do(apply("east", raw("BGPAdvertisement", "all", { serviceSelectors: [{ matchLabels: { app: "b" } }] })))
    world.do(apply("east", pool("public", ["192.0.2.0/32"])))
    for (const [app, port] of [
      ["a", 80],
      ["b", 443]
    ] as const)
      world.do(
        observe(
          "east",
          service(app, {
            labels: { app },
            annotations: { allowSharedIp: "key" },
            ports: [{ protocol: "TCP", port, name: "" }]
          })
        )
      )
    const told = () => {
      const message = world.message("east", vipKey("192.0.2.0"))
      return message?._tag === "VipIntent" ? message.routes.map(({ services }) => services) : []
    }
    assert.deepStrictEqual(told(), [undefined])
    world.do(finalise(2))
    assert.deepStrictEqual(told(), [["shop/b"]])
  })
})

describe("how long an address rests by its pool", () => {
  const rested = (version: number) => {
    const world = atVersion(version)
    const resting = { ...pool("public", ["192.0.2.0/32"]), annotations: { "lowtide.dev/quarantine": "24h" } }
    for (const command of [apply("east", resting), observe("east", service("web"))]) world.do(command)
    world.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
    return world.log.some(({ after }) => after?._tag === "Vip" && after.quarantineMs !== undefined)
  }

  it("is kept with it from version 2 on", () => {
    assert.deepStrictEqual([rested(1), rested(2)], [false, true])
  })
})

describe("going back one release", () => {
  for (const seed of [1, 2, 3, 4]) {
    it(`finds nothing unknown in a log of an unfinalised version (histories of seed ${seed})`, () => {
      const choose = new Choices(seed)
      const world = atVersion(newestFleetVersion - 1)
      for (let step = 0; step < 250; step++) world.do(randomCommand(world, choose))
      assert.isAbove(world.log.length, 100)
      assert.deepStrictEqual(unreadable(world.log, newestFleetVersion - 1, newestFleetVersion - 1), [])
    })
  }

  it("is over once the version is finalised", () => {
    const world = atVersion(newestFleetVersion - 1)
    world.do(finalise(newestFleetVersion))
    const reader = newestFleetVersion - 1
    assert.deepStrictEqual(unreadable(world.log, newestFleetVersion, reader), ["FleetVersionFinalised"])
  })
})
