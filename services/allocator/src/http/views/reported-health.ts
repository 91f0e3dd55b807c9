import type { ClusterMemory, ServiceHealth } from "@lowtide/domain"

/** Where a Service of a cluster serves as seen from one node, by what its agent has told: the node itself may know better. */
export const reportedHealth =
  (cluster: ClusterMemory, node: string) =>
  ({ namespace, name }: { readonly namespace: string; readonly name: string }): ServiceHealth => {
    const nodes = cluster.services.get(`${namespace}/${name}`)?.servingNodes ?? []
    return { servesHere: nodes.includes(node), servesAnywhere: nodes.length > 0 }
  }
