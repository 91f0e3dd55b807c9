import { settleService } from "../allocation/settle.ts"
import type { NamespaceObject, NodeObject, ServiceObject } from "../config/index.ts"
import { reportJudgement } from "./configure.ts"
import type { Draft } from "./draft.ts"
import type { ClusterMemory } from "./fleet.ts"
import { streamOf } from "./stream.ts"

export const observeNamespace = (draft: Draft, cluster: ClusterMemory, namespace: NamespaceObject): void => {
  const before = cluster.namespaces.get(namespace.name) ?? null
  if (isSame(before?.namespace, namespace)) return
  draft.emit({
    stream: streamOf.namespace(cluster.name, namespace.name),
    type: "NamespaceObserved",
    reason: "observed",
    before,
    after: { _tag: "Namespace", cluster: cluster.name, namespace },
    about: { cluster: cluster.name, namespace: namespace.name }
  })
}

export const forgetNamespace = (draft: Draft, cluster: ClusterMemory, name: string): void => {
  const before = cluster.namespaces.get(name)
  if (before === undefined) return
  draft.emit({
    stream: streamOf.namespace(cluster.name, name),
    type: "NamespaceGone",
    reason: "gone",
    before,
    after: null,
    about: { cluster: cluster.name, namespace: name }
  })
}

/** Nodes have a part in the judgement of peers, which is made anew. */
export const observeNode = (draft: Draft, cluster: ClusterMemory, node: NodeObject): void => {
  const before = cluster.nodes.get(node.name) ?? null
  if (before?.present && isSame(before.node, node)) return
  draft.emit({
    stream: streamOf.node(cluster.name, node.name),
    type: "NodeObserved",
    reason: "observed",
    before,
    after: { _tag: "Node", cluster: cluster.name, node, present: true },
    about: { cluster: cluster.name }
  })
  reportJudgement(draft, cluster)
}

/** The node stays known: it may still announce, and what it was obliged to confirm it has not confirmed. */
export const forgetNode = (draft: Draft, cluster: ClusterMemory, name: string): void => {
  const before = cluster.nodes.get(name)
  if (before === undefined || !before.present) return
  draft.emit({
    stream: streamOf.node(cluster.name, name),
    type: "NodeGone",
    reason: "gone",
    before,
    after: { ...before, present: false },
    about: { cluster: cluster.name }
  })
  reportJudgement(draft, cluster)
}

export const observeService = (draft: Draft, cluster: ClusterMemory, service: ServiceObject): void => {
  const before = cluster.services.get(`${service.namespace}/${service.name}`) ?? null
  if (isSame(before?.service, service)) return
  draft.emit({
    stream: streamOf.service(cluster.name, service.namespace, service.name),
    type: "ServiceObserved",
    reason: "observed",
    before,
    after: {
      _tag: "Service",
      cluster: cluster.name,
      service,
      servingNodes: before?.servingNodes ?? [],
      refusal: before?.refusal ?? null
    },
    about: {
      cluster: cluster.name,
      namespace: service.namespace,
      service: service.name,
      serviceUid: service.uid
    }
  })
}

/** The Service is gone, and what it holds is released. */
export const forgetService = (draft: Draft, cluster: ClusterMemory, key: string): void => {
  const before = cluster.services.get(key)
  if (before === undefined) return
  const { namespace, name, uid } = before.service
  draft.emit({
    stream: streamOf.service(cluster.name, namespace, name),
    type: "ServiceGone",
    reason: "gone",
    before,
    after: null,
    about: { cluster: cluster.name, namespace, service: name, serviceUid: uid }
  })
  settleService(draft, cluster, key)
}

const isSame = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right)
