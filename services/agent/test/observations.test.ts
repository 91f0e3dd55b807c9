import { finding, type LogEnd } from "@lowtide/domain"
import type { ClusterChange } from "@lowtide/kube"
import { assert, describe, it } from "vitest"
import { further, inventory, type LaterLook, lookedLater, type Told, tellings } from "../src/observations.ts"
import { faulty, lookAt, sliceOf, texts } from "./looks.ts"

const pool = { kind: "IPAddressPool", namespace: "metallb-system", name: "public" }
const facts = { object: pool, expected: "a", found: "b" }

const change = (codes: ReadonlyArray<"LT0104" | "LT0105" | "LT0139">): ClusterChange =>
  lookAt([], { findings: codes.map((code) => finding(code, facts)) })

const toldCodes = (codes: ReadonlyArray<"LT0104" | "LT0105" | "LT0139">) =>
  tellings("east", change(codes), new Map()).flatMap(({ command }) =>
    command._tag === "ReportFindings" ? command.findings.map(({ code }) => code) : []
  )

describe("findings that the agent tells of configuration", () => {
  it("are errors and what stays in effect because of them, which the centre cannot see", () => {
    assert.deepStrictEqual(toldCodes(["LT0105", "LT0139"]), ["LT0105", "LT0139"])
    assert.deepStrictEqual(inventory("east", change(["LT0139"])), {
      _tag: "ObserveInventory",
      cluster: "east",
      services: [],
      nodes: [],
      namespaces: [],
      manifests: [],
      findings: ["IPAddressPool/metallb-system/public"]
    })
  })

  it("are not warnings about an object without errors, which the centre finds by itself", () => {
    assert.deepStrictEqual(toldCodes(["LT0104"]), [])
  })
})

describe("a version of an object that is not taken", () => {
  it("is told with its findings, for the centre to judge, of configuration and of a Service that wants addresses", () => {
    const pool = faulty(`apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: public}
spec: {addresses: [192.0.2.0/24, oops]}
`)
    const service = faulty(`apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {metallb.io/address-pool: typo, example.org/note: private}}
spec: {type: LoadBalancer, ports: [{port: 0}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}
`)
    const inside = faulty(`apiVersion: v1
kind: Service
metadata: {name: inside, namespace: shop, deletionTimestamp: soon}
spec: {type: ClusterIP, ports: [{port: 80}], ipFamilies: [IPv5]}
`)
    const seen = lookAt([], {
      refused: [pool.ref, service.ref, inside.ref],
      faulty: [pool, service, inside],
      findings: [...pool.findings, ...service.findings, ...inside.findings]
    })
    const told = tellings("east", seen, new Map()).flatMap(({ command }) =>
      command._tag === "ReportFindings" ? [[command.object.kind, command.refused]] : []
    )
    assert.deepStrictEqual(told, [
      ["IPAddressPool", pool.raw],
      [
        "Service",
        {
          ...{ apiVersion: "v1", kind: "Service", namespace: "shop", name: "web" },
          annotations: { "metallb.io/address-pool": "typo" },
          spec: { type: "LoadBalancer", ports: [{ port: 0 }] }
        }
      ],
      ["Service", undefined]
    ])
  })
})

describe("Services that come to be served", () => {
  it("are told again, with what their statuses say, when the cluster names another class", () => {
    const cluster = (more: string) =>
      `{ apiVersion: lowtide.dev/v1alpha1, kind: Cluster, metadata: { name: east }, spec: { ${more} } }`
    const service = `{ apiVersion: v1, kind: Service, metadata: { name: web, namespace: shop },
      spec: { type: LoadBalancer, loadBalancerClass: other, ports: [{ port: 80 }] },
      status: { loadBalancer: { ingress: [{ ip: 192.0.2.5 }] } } }`
    const first = say(lookAt([cluster("network: inner"), service]))
    const { news } = say(lookAt([cluster("network: inner, loadBalancerClass: other"), service]), first.told)
    assert.deepStrictEqual(
      news.map(({ command, phase }) => [
        command._tag,
        phase,
        command._tag === "ObserveService" ? command.statusAddresses : undefined
      ]),
      [
        ["RegisterCluster", "cluster", undefined],
        ["ObserveService", "holders", ["192.0.2.5"]]
      ]
    )
  })
})

describe("findings that are gone", () => {
  it("are taken back, of a file in a folder as well", () => {
    const told = new Map([["findings File//services/shop.yaml", "..."]])
    const news = tellings("east", change([]), told).filter(({ about }) => about.startsWith("findings"))
    assert.deepStrictEqual(
      news.map(({ command }) => command),
      [
        {
          _tag: "ReportFindings",
          cluster: "east",
          object: { kind: "File", name: "services/shop.yaml" },
          findings: []
        }
      ]
    )
  })
})

/** What is told, and what will have been told once it is answered. */
const say = (seen: ClusterChange, told: Told = new Map()) => {
  const news = tellings("east", seen, told)
  const after = new Map(told)
  for (const { about, text } of news) {
    if (text === undefined) after.delete(about)
    else after.set(about, text)
  }
  return { news, told: after, tags: news.map(({ command, phase }) => `${phase} ${command._tag}`) }
}

const whole = Object.values(texts)

describe("what is told of a cluster", () => {
  it("is everything at first, what others rest on before it, and nothing a second time", () => {
    const first = say(lookAt(whole))
    assert.deepStrictEqual(first.tags, [
      "cluster RegisterCluster",
      "cluster ObserveNode",
      "configuration ApplyManifest",
      "cluster ObserveNamespace",
      "services ObserveService",
      "endpoints ObserveServingNodes"
    ])
    assert.deepStrictEqual(first.news[0]?.command, { _tag: "RegisterCluster", cluster: "east", network: "inner" })
    assert.deepStrictEqual(first.news.at(-1)?.command, {
      _tag: "ObserveServingNodes",
      cluster: "east",
      namespace: "shop",
      name: "web",
      nodes: ["n1", "n2"]
    })
    assert.deepStrictEqual(say(lookAt(whole), first.told).tags, [])
  })

  it("is what changed", () => {
    const { told } = say(lookAt(whole))
    const moved = lookAt([...whole.slice(0, -1), sliceOf(["n2"])])
    const { news } = say(moved, told)
    assert.deepStrictEqual(
      news.map(({ about }) => about),
      ["endpoints shop/web"]
    )
    const back = say(lookAt(whole), say(moved, told).told)
    assert.deepStrictEqual(back.tags, ["endpoints ObserveServingNodes"], "A, B, A is told as three")
  })

  it("is what is gone, the endpoints of a Service with it, and all of it anew when it is back", () => {
    const { told } = say(lookAt(whole))
    const without = lookAt([texts.network, texts.namespace, texts.slice])
    const gone = say(without, told)
    assert.sameDeepMembers(
      gone.news.map(({ command }) => command),
      [
        { _tag: "ForgetNode", cluster: "east", name: "n1" },
        { _tag: "DeleteManifest", cluster: "east", kind: "IPAddressPool", namespace: "metallb-system", name: "public" },
        { _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" },
        { _tag: "ObserveServingNodes", cluster: "east", namespace: "shop", name: "web", nodes: [] }
      ]
    )
    assert.deepStrictEqual(
      gone.news.filter(({ about }) => about.endsWith("shop/web")).map(({ phase }) => phase),
      ["services", "endpoints"]
    )
    assert.deepStrictEqual(say(without, gone.told).tags, [])
    assert.deepStrictEqual(say(lookAt(whole), gone.told).tags, [
      "cluster ObserveNode",
      "configuration ApplyManifest",
      "services ObserveService",
      "endpoints ObserveServingNodes"
    ])
    assert.deepStrictEqual(
      say(lookAt([texts.network]), told).news.filter(({ command }) => command._tag === "ForgetNamespace").length,
      1
    )
  })

  it("is not that an object is gone which is there and wrong", () => {
    const { told } = say(lookAt(whole))
    const refused = [
      { kind: "Service", namespace: "shop", name: "web" },
      { kind: "IPAddressPool", namespace: "metallb-system", name: "public" }
    ]
    const seen = lookAt([texts.network, texts.namespace, texts.node, texts.slice], { refused })
    assert.deepStrictEqual(say(seen, told).tags, [])
    assert.deepInclude(inventory("east", seen), {
      services: ["shop/web"],
      manifests: ["IPAddressPool/metallb-system/public"]
    })
  })

  it("is not that anything is gone while a part of the source cannot be read", () => {
    const { told } = say(lookAt(whole))
    const seen = lookAt([], { unreadTexts: undefined })
    assert.deepStrictEqual(say(seen, told).tags, [])
    assert.isUndefined(inventory("east", seen))
  })

  it("is as of the log's end that was known before a later look, unless that has something more", () => {
    const end = { incarnation: 1, seq: 9 }
    const seen = lookAt([texts.pool, texts.node])
    const as = (later: ClusterChange) => inventory("east", seen, lookedLater("east", undefined, { end, change: later }))
    assert.deepStrictEqual(as(lookAt([texts.pool])), { ...inventory("east", seen)!, asOf: end }, "it may have less")
    for (const more of [texts.service, texts.namespace])
      assert.isUndefined(as(lookAt([texts.pool, texts.node, more])), more)
    assert.isUndefined(as(lookAt([texts.pool, texts.node], { unreadTexts: ["?"] })), "there may be more")
  })

  it("lacks of a later look only what a look since then lacks as well, and stays as of the first", () => {
    const [first, second] = [
      { incarnation: 1, seq: 9 },
      { incarnation: 1, seq: 30 }
    ]
    const seen = lookAt([texts.pool, texts.node])
    const more = lookAt([texts.pool, texts.node, texts.namespace])
    const looked = (before: LaterLook | undefined, end: LogEnd, change: ClusterChange) =>
      lookedLater("east", before, { end, change })
    const later = looked(undefined, first, more)
    assert.isUndefined(inventory("east", seen, later))
    assert.isUndefined(inventory("east", seen, looked(later, second, more)), "it is there still")
    assert.deepInclude(inventory("east", more, later), { namespaces: ["shop"], asOf: first }, "it is told")
    const unlike = lookAt([texts.pool, texts.node, texts.service])
    assert.deepStrictEqual(
      inventory("east", seen, looked(later, second, unlike)),
      { ...inventory("east", seen)!, asOf: first },
      "it has gone, and what came later is told later"
    )
    const unread = lookAt([], { unreadTexts: ["?"] })
    assert.isUndefined(inventory("east", seen, looked(later, second, unread)), "it may be there")
    const begun = looked(looked(undefined, first, unread), second, seen)
    assert.deepInclude(inventory("east", seen, begun), { asOf: second }, "the first look showed nothing")
  })

  it("is as of the furthest end that was heard, in whatever order", () => {
    const [lower, higher, next] = [
      { incarnation: 1, seq: 7 },
      { incarnation: 1, seq: 9 },
      { incarnation: 2, seq: 3 }
    ]
    assert.deepStrictEqual(further(undefined, lower), lower)
    assert.deepStrictEqual(further(lower, undefined), lower)
    for (const [one, other, expected] of [
      [lower, higher, higher],
      [higher, next, next]
    ] as const) {
      assert.deepStrictEqual(further(one, other), expected)
      assert.deepStrictEqual(further(other, one), expected)
    }
  })
})

describe("a part of the source that does not parse", () => {
  const { told } = say(lookAt(whole))
  const without = (unreadText: string) =>
    say(lookAt([texts.network, texts.namespace, texts.node], { unreadTexts: [unreadText] }), told).tags

  it("keeps what it names, and nothing else", () => {
    assert.deepStrictEqual(without("kind: [\nmetadata: { name: public }"), [
      "services ForgetService",
      "endpoints ObserveServingNodes"
    ])
    assert.deepStrictEqual(without("kind: [\nmetadata: { name: web }"), ["configuration DeleteManifest"])
    assert.deepStrictEqual(without("nonsense: ["), [
      "configuration DeleteManifest",
      "services ForgetService",
      "endpoints ObserveServingNodes"
    ])
  })

  it("leaves the default network in effect unless it may hold a Cluster", () => {
    const registered = (unreadText: string) => say(lookAt([], { unreadTexts: [unreadText] })).tags
    assert.deepStrictEqual(registered("{ externalTrafficPolicy: Cluster ["), ["cluster RegisterCluster"])
    assert.deepStrictEqual(registered('{ "kind": "Cluster", ['), [])
    assert.deepStrictEqual(registered("kind: Cluster\nspec: ["), [])
  })
})

describe("the network of a cluster", () => {
  const network = (seen: ClusterChange, told?: Told) =>
    say(seen, told).news.flatMap(({ command }) => (command._tag === "RegisterCluster" ? [command.network] : []))

  it("is the default where no object names one", () => {
    assert.deepStrictEqual(network(lookAt([])), ["default"])
  })

  it("is not told while the object that names it cannot be read, or while not all has been read", () => {
    const { told } = say(lookAt([texts.network]))
    const refused = [{ kind: "Cluster", name: "east" }]
    assert.deepStrictEqual(network(lookAt([], { refused })), [])
    assert.deepStrictEqual(network(lookAt([], { refused }), told), [])
    assert.deepStrictEqual(network(lookAt([], { unreadTexts: undefined })), [])
    assert.deepStrictEqual(network(lookAt([texts.network], { unreadTexts: undefined })), ["inner"])
    assert.deepStrictEqual(network(lookAt([]), told), ["default"], "once the object is gone")
  })
})

describe("a Service that has addresses by its status", () => {
  const withStatus = (ip: string) =>
    texts.service.replace(/ }$/, `, status: { loadBalancer: { ingress: [{ ip: ${ip} }] } } }`)

  it("is told before the others, with them; that its status changes is no news", () => {
    const cluster = [texts.network, texts.pool]
    const other = texts.service.replace("name: web", "name: api")
    const first = say(lookAt([...cluster, other, withStatus("192.0.2.9")]))
    const services = first.news.flatMap(({ command, phase }) =>
      command._tag === "ObserveService" ? [[phase, command.service.name, command.statusAddresses]] : []
    )
    assert.deepStrictEqual(services, [
      ["services", "api", undefined],
      ["holders", "web", ["192.0.2.9"]]
    ])
    assert.deepStrictEqual(say(lookAt([...cluster, other, withStatus("192.0.2.8")]), first.told).tags, [])
  })
})

describe("findings of an object", () => {
  it("are told together, again when they change, and taken back when there are none", () => {
    const first = say(change(["LT0105"]))
    const more = say(change(["LT0105", "LT0139"]), first.told)
    assert.deepStrictEqual(
      more.news.map(({ command }) => command._tag === "ReportFindings" && command.findings.length),
      [2]
    )
    const resolved = say(change([]), more.told)
    assert.deepStrictEqual(
      resolved.news.map(({ command }) => command._tag === "ReportFindings" && command.findings),
      [[]]
    )
    assert.deepStrictEqual(say(change([]), resolved.told).tags, [])
  })

  it("are taken back of a file with spaces in its path", () => {
    const told = new Map([["findings File//my shop/web front.yaml", "..."]])
    const news = say(change([]), told).news.filter(({ about }) => about.startsWith("findings"))
    assert.deepStrictEqual(
      news.map(({ command }) => command._tag === "ReportFindings" && command.object),
      [{ kind: "File", name: "my shop/web front.yaml" }]
    )
  })
})
