import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import {
  byAge,
  type ClusterInput,
  decodeObject,
  type Finding,
  lint,
  type Observation,
  objectTelling,
  parseManifests,
  phases,
  preview,
  type RawObject
} from "../src/index.ts"
import { fleetObject, pool, raw, World } from "./world.ts"

/** A folder as it is read, its findings with it. */
const readInput = (folder: string): ClusterInput => {
  const observations: Array<Observation> = []
  const findings: Array<Finding> = []
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /yaml|json/.test(name))
    .sort()) {
    const parsed = parseManifests(readFileSync(join(folder, file), "utf8"), { file })
    findings.push(...parsed.findings)
    for (const { object: manifest, locate } of parsed.manifests) {
      const { object, findings: own } = decodeObject(manifest, locate)
      findings.push(...own)
      if (object !== undefined) observations.push({ raw: manifest, object })
    }
  }
  return { name: "east", observations, findings }
}

const observation = (manifest: RawObject): Observation => {
  const { object, findings } = decodeObject(manifest)
  assert.isDefined(object, JSON.stringify(findings))
  return { raw: manifest, object: object! }
}

const serviceOf = (name: string, spec: object, more: Partial<RawObject> = {}): Observation =>
  observation({
    ...{ apiVersion: "v1", kind: "Service", namespace: "shop", name },
    spec: { type: "LoadBalancer", ports: [{ port: 80 }], ...spec },
    ...more
  })

const nodeOf = (name: string): Observation => observation({ apiVersion: "v1", kind: "Node", namespace: "", name })

/** The Service has one endpoint, on node n1. */
const sliceOf = (service: string): Observation =>
  observation({
    ...{ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", namespace: "shop", name: `${service}-1` },
    labels: { "kubernetes.io/service-name": service },
    endpoints: [{ addresses: ["10.2.0.1"], nodeName: "n1" }]
  })

const cluster = (name: string, ...observations: ReadonlyArray<Observation>): ClusterInput => ({
  name,
  observations,
  findings: []
})

describe("lint", () => {
  it.each(["packages/domain/test/fixtures/bad", "deploy/samples/east", "deploy/samples/west"])(
    "says of the configuration in %s just what the allocator would record",
    (folder) => {
      const input = readInput(join(import.meta.dirname, "../../..", folder))
      const world = new World()
      const told = input.observations.toSorted(byAge).flatMap((each) => objectTelling("east", each, {}) ?? [])
      for (const phase of phases) for (const each of told) if (each.phase === phase) world.do(each.command)
      const text = ({ code, message }: Finding) => `${code} ${message.replace(/ at \S+$/, "")}`
      const recorded = [...world.fleet.cluster("east").findings.values()].flatMap(({ findings }) => findings.map(text))
      // What cannot be read at all never reaches the allocator; two of one key overwrite each other there.
      const said = lint([input], "native")
        .flatMap(({ findings }) => findings)
        .filter(
          ({ code, object }) => !["Service", "File", "Cluster", "Node"].includes(object.kind) && code !== "LT0122"
        )
        .filter(({ object }) => recordedObjects(input).has(`${object.kind}/${object.name}`))
        .map(text)
      assert.deepStrictEqual(recorded.filter((each) => !each.startsWith("LT0122")).sort(), said.sort())
    }
  )
})

const recordedObjects = ({ observations }: ClusterInput): ReadonlySet<string> =>
  new Set(observations.map(({ object }) => `${object._tag}/${object.value.name}`))

describe("preview", () => {
  const config = [
    pool("public", ["192.0.2.0/30"]),
    raw("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" }),
    raw("BGPAdvertisement", "all", {})
  ].map(observation)

  it("gives no address of a network to two clusters, and every address of another network", () => {
    const network = (name: string) =>
      observation({
        apiVersion: "lowtide.dev/v1alpha1",
        kind: "Cluster",
        namespace: "",
        name: "c",
        spec: { network: name }
      })
    const inputs = [
      cluster("east", ...config, serviceOf("web", {})),
      cluster("west", ...config, serviceOf("web", {})),
      cluster("lab", ...config, network("lab"), serviceOf("web", {}))
    ]
    const addresses = preview(inputs).map(({ services }) => services[0]?.addresses)
    assert.deepStrictEqual(addresses, [["192.0.2.0"], ["192.0.2.1"], ["192.0.2.0"]])
  })

  it("takes Services by age, or as they stand in the files", () => {
    const born = (year: number) => ({ creationTimestamp: `${year}-01-01T00:00:00Z` })
    const input = cluster("east", ...config, serviceOf("young", {}, born(2026)), serviceOf("old", {}, born(2020)))
    const given = (servicesInOrder: boolean) =>
      preview([input], { servicesInOrder })[0]?.services.map(({ name, addresses }) => `${name} ${addresses}`)
    assert.deepStrictEqual(given(false), ["old 192.0.2.0", "young 192.0.2.1"])
    assert.deepStrictEqual(given(true), ["young 192.0.2.0", "old 192.0.2.1"])
  })

  it("announces from nodes with endpoints alone: LOCAL_PREF to internal peers, 100 unless given", () => {
    const slice = sliceOf("web")
    const nodes = ["n1", "n2"].map(nodeOf)
    const internal = observation(raw("BGPPeer", "inner", { myASN: 64496, peerASN: 64496, peerAddress: "10.1.0.2" }))
    const input = cluster(
      "east",
      ...config,
      internal,
      ...nodes,
      slice,
      serviceOf("web", { externalTrafficPolicy: "Local" })
    )
    const [result] = preview([input])
    const route = { prefix: "192.0.2.0/32", communities: [], largeCommunities: [] }
    assert.deepStrictEqual(
      result?.nodes.map(({ name, peers }) => [name, peers.map(({ announcements }) => announcements)]),
      [
        ["n1", [[{ ...route, localPref: 100 }], [{ ...route, localPref: null }]]],
        ["n2", [[], []]]
      ]
    )
    assert.deepStrictEqual(
      [...(result?.services[0]?.verdicts ?? [])].map(([name, { _tag }]) => [name, _tag]),
      [
        ["n1", "Announced"],
        ["n2", "NoLocalEndpoint"]
      ]
    )
  })

  it("warns, as the allocator does, of a pool's addresses that the cluster may not announce", () => {
    const objects = [pool("mine", ["192.0.2.0/28", "198.51.100.0/28"])]
    const ofFleet = { apiVersion: "lowtide.dev/v1alpha1", namespace: "" }
    const east = raw("Cluster", "east", { allowedPrefixes: ["192.0.2.0/24"] }, ofFleet)
    const say = (findings: ReadonlyArray<Finding> = []) =>
      findings.map(({ code, field, found }) => `${code} ${field} ${found}`)
    const [linted] = lint([cluster("east", ...[...objects, east].map(observation))], "native")
    const expected = ["LT0163 spec.addresses[1] 198.51.100.0/28"]
    assert.deepStrictEqual(say(linted?.findings), expected)
    const world = new World()
    for (const manifest of objects) world.do({ _tag: "ApplyManifest", cluster: "east", manifest })
    const live = () => say(world.fleet.cluster("east").findings.get("IPAddressPool/metallb-system/mine")?.findings)
    assert.deepStrictEqual(live(), [])
    const register = { _tag: "RegisterCluster", cluster: "east", network: "default" } as const
    world.do({ ...register, allowedPrefixes: ["192.0.2.0/24"] })
    assert.deepStrictEqual(live(), expected)
    world.do(register)
    assert.deepStrictEqual(live(), [])
  })

  it("shows by what routers prefer one cluster of a shared address: a longer AS path, and LOCAL_PREF to internal peers", () => {
    const slice = sliceOf("web")
    const node = nodeOf("n1")
    const internal = observation(raw("BGPPeer", "inner", { myASN: 64496, peerASN: 64496, peerAddress: "10.1.0.2" }))
    const members = ["east", "west"].map((name, priority) => ({
      cluster: name,
      namespace: "shop",
      name: "web",
      priority
    }))
    const shared = fleetObject("SharedAddress", "any", { addresses: ["192.0.2.0"], members })
    const inputs = ["east", "west"].map((name) => cluster(name, ...config, internal, node, slice, serviceOf("web", {})))
    const shown = preview(inputs, {
      fleet: [{ object: shared, locate: () => ({ file: "fleet.yaml", line: 1, column: 1 }) }]
    })
    const route = { prefix: "192.0.2.0/32", communities: [], largeCommunities: [] }
    assert.deepStrictEqual(
      shown.map(({ nodes }) => nodes[0]?.peers.map(({ announcements }) => announcements[0])),
      [
        [
          { ...route, localPref: 100 },
          { ...route, localPref: null }
        ],
        [
          { ...route, localPref: 90 },
          { ...route, localPref: null, asPathPrepend: 4 }
        ]
      ]
    )
  })

  it("has the MED of an advertisement, and the longer path to external peers", () => {
    const annotations = { "lowtide.dev/med": "50", "lowtide.dev/as-path-prepend": "2" }
    const preferred = observation(raw("BGPAdvertisement", "all", {}, { annotations }))
    const objects = config.filter(({ object }) => object._tag !== "BGPAdvertisement")
    const internal = observation(raw("BGPPeer", "inner", { myASN: 64496, peerASN: 64496, peerAddress: "10.1.0.2" }))
    const node = nodeOf("n1")
    const slice = sliceOf("web")
    const [shown] = preview([cluster("east", ...objects, preferred, internal, node, slice, serviceOf("web", {}))])
    const route = { prefix: "192.0.2.0/32", communities: [], largeCommunities: [], med: 50 }
    assert.deepStrictEqual(
      shown?.nodes[0]?.peers.map(({ announcements }) => announcements[0]),
      [
        { ...route, localPref: 100 },
        { ...route, localPref: null, asPathPrepend: 2 }
      ]
    )
  })

  it("warns of two local preferences that only the Service brings together", () => {
    const advertisement = (name: string, spec: object) => observation(raw("BGPAdvertisement", name, spec))
    const nodes = nodeOf("n1")
    const front = { serviceSelectors: [{ matchLabels: { tier: "front" } }], localPref: 200 }
    const both = [...config, nodes, advertisement("front", front)]
    const codes = (tier: string) =>
      preview([cluster("east", ...both, serviceOf("web", {}, { labels: { tier } }))])[0]?.findings.map(
        ({ code, object }) => `${code} ${object.name}`
      )
    assert.deepStrictEqual([codes("front"), codes("back")], [["LT0154 web"], []])
  })

  it("announces a shared address for those of its Services alone that an advertisement selects", () => {
    const [poolOf, ...rest] = config
    const others = rest.filter(({ object }) => object._tag !== "BGPAdvertisement")
    const named = (name: string, port: number) =>
      serviceOf(
        name,
        { ports: [{ port }] },
        { labels: { tier: name }, annotations: { "metallb.io/allow-shared-ip": "key" } }
      )
    const selected = observation(
      raw("BGPAdvertisement", "front", { serviceSelectors: [{ matchLabels: { tier: "front" } }] })
    )
    const nodes = nodeOf("n1")
    const made = (serving: string) =>
      preview([
        cluster("east", poolOf!, ...others, selected, nodes, named("front", 80), named("back", 81), sliceOf(serving))
      ])[0]
    const told = (serving: string) => [
      made(serving)?.nodes[0]?.peers[0]?.announcements.length,
      ...(made(serving)?.services.map(({ name, verdicts }) => `${name} ${verdicts.get("n1")?._tag}`) ?? [])
    ]
    assert.deepStrictEqual(told("back"), [0, "front NoEndpoint", "back NotCandidate"])
    assert.deepStrictEqual(told("front"), [1, "front Announced", "back NotCandidate"])
  })

  it("orders announcements by number, names an internal peer's AS, and says why who is being deleted has nothing", () => {
    const names = Array.from({ length: 11 }, (_, index) => `s${index}`)
    const objects = [
      raw("IPAddressPool", "public", { addresses: ["192.0.2.0/28"] }),
      raw("BGPAdvertisement", "all", {}),
      raw("BGPAdvertisement", "block", { aggregationLength: 28 }),
      raw("BGPPeer", "any", { myASN: 64496, dynamicASN: "internal", peerAddress: "10.1.0.1" }),
      raw("BGPPeer", "other", { myASN: 64496, dynamicASN: "external", peerAddress: "10.1.0.2" })
    ]
      .map(observation)
      .concat(nodeOf("n1"), names.map(sliceOf))
    const leaving = serviceOf("leaving", {}, { deletionTimestamp: "2026-01-01T00:00:00Z" })
    const [shown] = preview([cluster("east", ...objects, leaving, ...names.map((name) => serviceOf(name, {})))])
    const [internal, external] = shown?.nodes[0]?.peers ?? []
    assert.deepStrictEqual(
      internal?.announcements.map(({ prefix }) => prefix),
      ["192.0.2.0/28", ...names.map((_, index) => `192.0.2.${index}/32`)]
    )
    assert.deepStrictEqual([internal?.asn, external?.asn], [64496, 0])
    assert.strictEqual(shown?.services.find(({ name }) => name === "leaving")?.reason, "it is being deleted")
  })

  it("tells of each fault of the fleet's objects by itself, as an error, and of what stands twice", () => {
    const wrong = fleetObject("AddressPool", "wrong", { addresses: ["192.0.2.0/33"], networks: "a", quarantine: "5x" })
    const typing = fleetObject("AddressPool", "typing", { addresses: ["192.0.2.0/28"], cluster: {} })
    const first = fleetObject("Quota", "twice", { addresses: 1 })
    const second = fleetObject("Quota", "twice", { addresses: 0 })
    const fleet = [wrong, typing, first, second].map((object, index) => ({
      object,
      locate: () => ({ file: "fleet.yaml", line: index + 1 })
    }))
    const inputs = [cluster("east", ...config, serviceOf("web", {}))]
    const said = lint(inputs, "native", { fleet }).flatMap(({ findings }) =>
      findings.map(({ code, severity, object, field, source }) =>
        [severity, code, source?.line, object.name, field].filter(Boolean).join(" ")
      )
    )
    assert.deepStrictEqual(said, [
      "error LT0110 1 wrong spec.addresses[0]",
      "error LT0104 1 wrong spec.networks",
      "error LT0108 1 wrong spec.quarantine",
      "error LT0104 2 typing spec.cluster",
      "error LT0122 4 twice"
    ])
    assert.deepStrictEqual(preview(inputs, { fleet })[0]?.services[0]?.addresses, ["192.0.2.0"])
  })

  it("holds no object against another of its name that is refused", () => {
    const wrong = fleetObject("Quota", "twice", { addresses: "none" })
    const right = fleetObject("Quota", "twice", { addresses: 0 })
    const third = fleetObject("Quota", "twice", { addresses: 5 })
    const fleet = [wrong, right, third].map((object, index) => ({
      object,
      locate: () => ({ file: "fleet.yaml", line: index + 1 })
    }))
    const [shown] = preview([cluster("east", ...config, serviceOf("web", {}))], { fleet })
    assert.deepStrictEqual(
      shown?.findings.filter(({ object }) => object.kind === "Quota").map(({ code, found }) => `${code} ${found}`),
      ['LT0105 "none"', "LT0122 a second one; the one at fleet.yaml:2 is in effect"]
    )
    assert.strictEqual(shown?.services[0]?.refusal?.code, "LT0213")
  })

  it("decides as the allocator does that sees the same, one thing after another", () => {
    const world = new World()
    const input = cluster("east", ...config, ...["c", "a", "b"].map((name) => serviceOf(name, {})))
    for (const each of input.observations) world.do(objectTelling("east", each, {})!.command)
    for (const { namespace, name, addresses } of preview([input])[0]?.services ?? []) {
      assert.deepStrictEqual(addresses, world.addresses("east", `${namespace}/${name}`))
    }
    assert.strictEqual(world.addresses("east", "shop/c")[0], "192.0.2.0")
  })
})

describe("Services that have addresses by their status", () => {
  const ingress = (...ips: ReadonlyArray<string>) => ({
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } }
  })
  const addressesOf = (...inputs: ReadonlyArray<ClusterInput>) =>
    preview(inputs).flatMap(({ services }) => services.map(({ name, addresses }) => [name, ...addresses]))

  it("keep them, though another stands before them or is of another cluster", () => {
    const given = observation(pool("public", ["192.0.2.0/30"]))
    const before = serviceOf("first", {})
    const holder = serviceOf("moved", {}, ingress("192.0.2.0"))
    assert.deepStrictEqual(addressesOf(cluster("east", given, before, holder)), [
      ["first", "192.0.2.1"],
      ["moved", "192.0.2.0"]
    ])
    assert.deepStrictEqual(addressesOf(cluster("east", given, before), cluster("west", given, holder)), [
      ["first", "192.0.2.1"],
      ["moved", "192.0.2.0"]
    ])
  })

  it("are passed over where nothing can be read, and when another load balancer serves them", () => {
    const given = observation(pool("public", ["192.0.2.0/30"]))
    const odd = serviceOf(
      "odd",
      {},
      { status: { loadBalancer: { ingress: [{ hostname: "x" }, 7, { ip: "192.0.2" }] } } }
    )
    const other = serviceOf("other", { loadBalancerClass: "example.org/other" }, ingress("192.0.2.0"))
    assert.deepStrictEqual(addressesOf(cluster("east", given, other, odd)), [["other"], ["odd", "192.0.2.0"]])
  })
})
