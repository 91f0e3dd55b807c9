import type { ClusterObject, Finding, ObjectRef, RawObject } from "@lowtide/domain/config/index"
import { Context, type Stream } from "effect"

/** One object of a cluster, read without errors. */
export interface ObservedObject {
  /** `kind/namespace/name`; see `objectKey`. */
  readonly key: string
  readonly ref: ObjectRef
  /** As its author wrote it, secrets replaced by their hash: what may leave the cluster. */
  readonly raw: RawObject
  readonly object: ClusterObject
}

/** One object of a cluster with errors: what could be read of it, and what is wrong with it. */
export interface FaultyManifest extends ObservedObject {
  readonly findings: ReadonlyArray<Finding>
}

/** What a source saw: the whole, and how it differs from what it saw before. */
export interface ClusterChange {
  /** Every object in effect, by key; a copy of its own for each change. */
  readonly objects: ReadonlyMap<string, ObservedObject>
  /** Objects that are there but have errors and were never read without; they are not gone. */
  readonly refused: ReadonlyArray<ObjectRef>
  /** Versions that are not taken for their errors, whether or not one from before is in effect. */
  readonly faulty: ReadonlyArray<FaultyManifest>
  /**
   * Texts of the parts of the source that do not parse as a whole. Empty when everything was read: what is in neither
   * list is gone. Otherwise what they name may be there, and what they do not name is gone. Undefined where not even the
   * text of a part is known: then absence says nothing.
   */
  readonly unreadTexts: ReadonlyArray<string> | undefined
  /** New and changed objects; in the first change of a stream, all of them. */
  readonly put: ReadonlyArray<ObservedObject>
  readonly deleted: ReadonlyArray<ObservedObject>
  /** Everything that is wrong now, not only what is new. */
  readonly findings: ReadonlyArray<Finding>
  /** When the change was made, by the source's clock, in milliseconds since 1970. */
  readonly changedAtMs: number
  /** When it was read, by this machine's clock, in milliseconds since 1970. */
  readonly readAtMs: number
}

/** Whether everything was read: what is not there is gone. */
export const isComplete = ({ unreadTexts }: Pick<ClusterChange, "unreadTexts">): boolean => unreadTexts?.length === 0

/** Where the observations of a cluster come from: a folder of manifests, or the cluster's own API. */
export class ClusterSource extends Context.Service<
  ClusterSource,
  {
    /**
     * First everything, then each change; never ends. It does not fail: a source that cannot be read keeps what it
     * read before and says so in a finding. Each run of the stream watches for itself.
     */
    readonly changes: Stream.Stream<ClusterChange>
  }
>()("@lowtide/kube/ClusterSource") {}
