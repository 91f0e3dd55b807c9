import { parseIpAddress, parsePrefix } from "@lowtide/net"
import { Result } from "effect"

/** What can be listed. */
export type ListType =
  | "services"
  | "pools"
  | "vips"
  | "reservations"
  | "quotas"
  | "sharedaddresses"
  | "approvals"
  | "peers"
  | "nodes"
  | "findings"
  | "evidence"
  | "allocators"

/** What has a history. */
export type HistoryType = "service" | "address" | "pool" | "peer" | "node" | "cluster" | "file"

const listNames: Readonly<Record<string, ListType>> = {
  services: "services",
  service: "services",
  svc: "services",
  pools: "pools",
  pool: "pools",
  po: "pools",
  vips: "vips",
  vip: "vips",
  vi: "vips",
  reservations: "reservations",
  reservation: "reservations",
  res: "reservations",
  quotas: "quotas",
  quota: "quotas",
  qu: "quotas",
  sharedaddresses: "sharedaddresses",
  sharedaddress: "sharedaddresses",
  sa: "sharedaddresses",
  approvals: "approvals",
  approval: "approvals",
  ap: "approvals",
  peers: "peers",
  peer: "peers",
  pe: "peers",
  nodes: "nodes",
  node: "nodes",
  no: "nodes",
  findings: "findings",
  finding: "findings",
  fi: "findings",
  evidence: "evidence",
  ev: "evidence",
  allocators: "allocators",
  allocator: "allocators",
  al: "allocators"
}

const historyNames: Readonly<Record<string, HistoryType>> = {
  service: "service",
  services: "service",
  svc: "service",
  address: "address",
  ip: "address",
  pool: "pool",
  pools: "pool",
  po: "pool",
  peer: "peer",
  peers: "peer",
  pe: "peer",
  node: "node",
  nodes: "node",
  no: "node",
  cluster: "cluster",
  clusters: "cluster",
  cl: "cluster",
  file: "file",
  files: "file"
}

/** `TYPE` or `TYPE/NAME` of a list; the name as written, its parts told apart by `/`. */
export interface ListTarget {
  readonly type: ListType
  readonly name: ReadonlyArray<string>
}

/** Reads `services`, `po`, `service/shop/web`, `node/east/east-1`. */
export const parseListTarget = (text: string): Result.Result<ListTarget, string> => {
  const [word = "", ...name] = text.split("/")
  const type = Object.hasOwn(listNames, word) ? listNames[word] : undefined
  if (type === undefined || name.includes("")) {
    const expected =
      "services, pools, vips, reservations, quotas, sharedaddresses, approvals, peers, nodes, findings, evidence or allocators, perhaps with /NAME"
    return Result.fail(`type: expected ${expected}, found ${JSON.stringify(text)}`)
  }
  return Result.succeed({ type, name })
}

/** Whether `[CLUSTER/][NAMESPACE/]NAME` names the object: the parts given are the last ones of its full name. */
export const isNamed = (name: ReadonlyArray<string>, fullName: ReadonlyArray<string>): boolean =>
  name.length <= fullName.length &&
  name.every((part, index) => part === fullName[fullName.length - name.length + index])

/** What a history is asked of. A cluster is left out where the name does without. */
export type HistoryTarget =
  | { readonly _tag: "Service"; readonly cluster?: string; readonly namespace: string; readonly name: string }
  /** An address, or a prefix for all addresses in it. */
  | { readonly _tag: "Address"; readonly address: string }
  | { readonly _tag: "Pool"; readonly cluster?: string; readonly name: string }
  | { readonly _tag: "Peer"; readonly cluster?: string; readonly name: string }
  | { readonly _tag: "Node"; readonly cluster?: string; readonly name: string }
  | { readonly _tag: "Cluster"; readonly name: string }
  | { readonly _tag: "File"; readonly cluster: string; readonly path: string }

const isAddresses = (text: string): boolean =>
  Result.isSuccess(parseIpAddress(text)) || Result.isSuccess(parsePrefix(text))

const tags = { pool: "Pool", peer: "Peer", node: "Node" } as const

/** Reads `service/[CLUSTER/]NS/NAME`, `address/IP`, a bare IP or prefix, `pool/[CLUSTER/]NAME`, `node/CLUSTER/NAME`, `cluster/NAME`, `file/CLUSTER/PATH`. */
export const parseHistoryTarget = (text: string): Result.Result<HistoryTarget, string> => {
  if (isAddresses(text)) return Result.succeed({ _tag: "Address", address: text })
  if (/^[\da-fA-F.:]+\/\d+$/.test(text))
    return Result.map(parsePrefix(text), () => ({ _tag: "Address", address: text }))
  const [word = "", ...name] = text.split("/")
  const type = Object.hasOwn(historyNames, word) ? historyNames[word] : undefined
  const last = name.at(-1) ?? ""
  if (type === undefined || name.includes("") || last === "") {
    const expected = "an address or prefix, or TYPE/NAME of a service, address, pool, peer, node, cluster or file"
    return Result.fail(`expected ${expected}, found ${JSON.stringify(text)}`)
  }
  const form = (expected: string) => Result.fail(`expected ${expected}, found ${JSON.stringify(text)}`)
  switch (type) {
    case "service":
      return parseServiceName(name, text)
    case "address":
      if (isAddresses(name.join("/"))) return Result.succeed({ _tag: "Address", address: name.join("/") })
      return form("address/IP or address/PREFIX")
    case "cluster":
      return name.length === 1 ? Result.succeed({ _tag: "Cluster", name: last }) : form("cluster/NAME")
    case "file": {
      const [cluster = "", ...path] = name
      return path.length > 0
        ? Result.succeed({ _tag: "File", cluster, path: path.join("/") })
        : form("file/CLUSTER/PATH, the path as it is in the folder of the cluster's manifests")
    }
    case "pool":
    case "peer":
    case "node": {
      const [cluster] = name
      if (name.length === 1) return Result.succeed({ _tag: tags[type], name: last })
      if (name.length === 2 && cluster !== undefined) return Result.succeed({ _tag: tags[type], cluster, name: last })
      return form(`${type}/[CLUSTER/]NAME`)
    }
  }
}

/** Reads `service/[CLUSTER/]NAMESPACE/NAME`. */
export const parseServiceTarget = (text: string): Result.Result<ServiceTarget, string> => {
  const target = parseHistoryTarget(text)
  if (Result.isSuccess(target) && target.success._tag === "Service") return Result.succeed(target.success)
  return Result.fail(`expected service/[CLUSTER/]NAMESPACE/NAME, found ${JSON.stringify(text)}`)
}

/** A Service, perhaps without its cluster. */
export type ServiceTarget = Extract<HistoryTarget, { readonly _tag: "Service" }>

const parseServiceName = (parts: ReadonlyArray<string>, text: string): Result.Result<ServiceTarget, string> => {
  const [first = "", second = "", third = ""] = parts
  if (parts.length === 2) return Result.succeed({ _tag: "Service", namespace: first, name: second })
  if (parts.length === 3) return Result.succeed({ _tag: "Service", cluster: first, namespace: second, name: third })
  return Result.fail(`expected service/[CLUSTER/]NAMESPACE/NAME, found ${JSON.stringify(text)}`)
}
