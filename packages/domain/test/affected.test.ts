import { assert, describe, it } from "vitest"
import {
  type Content,
  messageKey,
  resolveNode,
  resolveObject,
  resolveService,
  resolveVip,
  vipKey
} from "../src/announcing/index.ts"
import { type ObjectRef, objectKey, rawRef } from "../src/config/index.ts"
import type { ClusterMemory } from "../src/fleet/fleet.ts"
import { Choices, clusters, randomAnnouncing } from "./random-fleet.ts"
import { announcing, apply, observe, pool, service, World } from "./world.ts"

/** Everything that the fleet amounts to, resolved from nothing but its state. */
const everything = (world: World): ReadonlyArray<Content> =>
  [...world.fleet.clusters.values()].flatMap(
    (cluster): ReadonlyArray<Content> => [
      ...[...cluster.nodes.values()].map((node) => resolveNode(world.fleet, cluster, node)),
      ...[...cluster.vips].map((stream) => {
        const vip = world.fleet.vips.get(stream)!
        return resolveVip(world.fleet, cluster, vip, world.book.obligedOf(cluster.name, vipKey(vip.address)))
      }),
      ...[...cluster.services.values()].map((state) => resolveService(world.fleet, cluster, state)),
      ...[...objectsOf(cluster)].map(([, ref]) => resolveObject(cluster, ref))
    ]
  )

/** Configuration, and what has findings. */
const objectsOf = (cluster: ClusterMemory): ReadonlyMap<string, ObjectRef> =>
  new Map(
    [
      ...[...cluster.manifests.values()].map(({ manifest }) => rawRef(manifest)),
      ...[...cluster.findings.values()].map(({ object }) => object)
    ].map((ref) => [objectKey(ref), ref])
  )

/** The messages in effect that nothing in the fleet stands behind any more. */
const leftOver = (world: World, cluster: string, wanted: ReadonlyArray<Content>) => {
  const keys = new Set(wanted.filter((content) => content.cluster === cluster).map(messageKey))
  return [...world.book.entries(cluster)]
    .filter(([key]) => !keys.has(key))
    .map(([, entry]) => JSON.parse(entry.content))
}

const assertTold = (world: World): void => {
  const wanted = everything(world)
  for (const content of wanted) {
    const told = world.book.entries(content.cluster).get(messageKey(content))?.content
    if (told === JSON.stringify(content)) continue // which is looked at closely where it is not
    assert.deepStrictEqual(told === undefined ? undefined : JSON.parse(told), JSON.parse(JSON.stringify(content)))
  }
  for (const content of clusters.flatMap((cluster) => leftOver(world, cluster, wanted))) {
    switch (content._tag) {
      case "VipIntent":
        assert.deepStrictEqual([content.state, content.obliged], ["withdrawn", []], "a free VIP is settled")
        break
      case "ServiceAnswer":
        assert.deepStrictEqual([content.addresses, content.refusal], [[], null], "a Service that is gone has nothing")
        break
      default:
        assert.deepStrictEqual([content._tag, content.findings, content.gone], ["ObjectFindings", [], true])
    }
  }
}

describe("the messages that a batch of events changes", () => {
  it.each(Array.from({ length: 40 }, (_, index) => index + 1))(
    "seed %i: are after each batch those that resolving everything from the state gives, numbered without a gap",
    (seed) => {
      const choose = new Choices(seed)
      const world = new World()
      for (const cluster of clusters) {
        announcing(world, cluster)
        world.do(apply(cluster, pool("p0", ["192.0.2.0/29", "2001:db8:100::/126"])))
      }
      for (let step = 0; step < 120; step++) {
        world.doAll(Array.from({ length: 1 + choose.below(3) }, () => randomAnnouncing(world, choose)))
        assertTold(world)
      }
      for (const cluster of clusters) {
        const chain = world.messages.filter((message) => message.cluster === cluster)
        const broken = chain.find(({ cseq, prevCseq }, index) => prevCseq !== index || cseq !== index + 1)
        assert.isUndefined(broken, JSON.stringify(broken))
      }
    }
  )
})

describe("what is said of a configuration object", () => {
  const said = (world: World, name: string) => {
    const message = world.message("east", `obj.IPAddressPool.metallb-system.${name}`)
    return message?._tag === "ObjectFindings"
      ? { codes: message.findings.map(({ code }) => code), gone: message.gone }
      : undefined
  }

  it("is that it is accepted, what is wrong with it, and that it is gone", () => {
    const world = new World()
    world.do(apply("east", pool("public", ["192.0.2.0/28"])))
    assert.deepStrictEqual(said(world, "public"), { codes: [], gone: undefined })
    world.do(apply("east", pool("wide", ["192.0.2.0/24"])))
    assert.deepStrictEqual(said(world, "wide"), { codes: ["LT0121"], gone: undefined })
    for (const name of ["wide", "public"])
      world.do({ _tag: "DeleteManifest", cluster: "east", kind: "IPAddressPool", namespace: "metallb-system", name })
    assert.deepStrictEqual(said(world, "wide"), { codes: [], gone: true })
    assert.deepStrictEqual(said(world, "public"), { codes: [], gone: true })
  })
})

describe("the answer to a Service that is gone", () => {
  const answered = (world: World, uid: string) => {
    const message = world.message("east", `svc.${uid}`)
    return message?._tag === "ServiceAnswer" ? message.addresses.map(({ address }) => address) : undefined
  }
  const begun = () => {
    const world = new World()
    world.do(apply("east", pool("public", ["192.0.2.0/28"])))
    world.do(observe("east", service("web", { uid: "uid-1" })))
    assert.deepStrictEqual(answered(world, "uid-1"), ["192.0.2.0"])
    return world
  }

  it("is empty, once it is gone", () => {
    const world = begun()
    world.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
    assert.deepStrictEqual(answered(world, "uid-1"), [])
  })

  it("is empty when another Service of the same name took its place, in one command or in one batch", () => {
    const replaced = begun()
    replaced.do(observe("east", service("web", { uid: "uid-2" })))
    assert.deepStrictEqual([answered(replaced, "uid-1"), answered(replaced, "uid-2")], [[], ["192.0.2.0"]])

    const anew = begun()
    anew.doAll([
      { _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" },
      observe("east", service("web", { uid: "uid-2" }))
    ])
    assert.deepStrictEqual([answered(anew, "uid-1"), answered(anew, "uid-2")], [[], ["192.0.2.0"]])
  })

  it("is that of its return, when it was gone and back within one batch", () => {
    const world = begun()
    const { length } = world.messages
    world.doAll([
      { _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" },
      observe("east", service("web", { uid: "uid-1" }))
    ])
    assert.deepStrictEqual(answered(world, "uid-1"), ["192.0.2.0"])
    assert.strictEqual(world.messages.length, length, "for nothing has changed in the end")
  })

  it("is given for a Service that came and went within one batch", () => {
    const world = new World()
    world.doAll([
      observe("east", service("web", { uid: "uid-1" })),
      { _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" }
    ])
    assert.deepStrictEqual(answered(world, "uid-1"), [])
  })
})
