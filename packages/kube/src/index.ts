/**
 * The observations of a cluster, whatever they come from, and the way back for statuses.
 *
 * `ClusterSource` is the port: a stream of everything and then of each change. `folderSource` is a folder of manifests
 * behind it, and `readManifests` what a folder or file says now. `writeStatus` puts the statuses of objects into another folder, so that a source never reads what was
 * written in answer to it. Understanding the objects is `@lowtide/domain`'s work.
 */
export * from "./cluster-source.ts"
export { settleMs } from "./file-state.ts"
export * from "./folder-source.ts"
export * from "./read-manifests.ts"
export * from "./status-folder.ts"
