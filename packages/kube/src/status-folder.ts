import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { formatManifest } from "@lowtide/domain/config/index"
import { formatIpAddress, parseIpAddress } from "@lowtide/net"
import { Data, Effect, Result } from "effect"

/** The status of one object, in the shape that the object has in its cluster. */
export interface ObjectStatus {
  readonly apiVersion: string
  readonly kind: string
  /** Empty for kinds without. */
  readonly namespace: string
  readonly name: string
  /** Annotations that say what came of the object, written with its status. */
  readonly annotations?: Readonly<Record<string, string>>
  readonly status: unknown
}

/** A status could not be written; the file, if any, is as it was. */
export class StatusUnwritable extends Data.TaggedError("StatusUnwritable")<{
  readonly path: string
  readonly cause: unknown
}> {
  override get message() {
    return `${this.path} cannot be written: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** Where an object's status stands: `FOLDER/Service/shop/web.yaml`, `FOLDER/Node/east-1.yaml`; a file's below its own folders. */
export const statusPath = (folder: string, object: Pick<ObjectStatus, "kind" | "namespace" | "name">): string =>
  join(folder, object.kind, object.namespace, `${object.name}.yaml`)

/**
 * Writes the status of one object as YAML, whole or not at all: a reader sees the old file or the new one. Answers false,
 * and touches nothing, when the file says so already.
 */
export const writeStatus = (folder: string, object: ObjectStatus): Effect.Effect<boolean, StatusUnwritable> =>
  attempt(statusPath(folder, object), (path) => {
    const text = formatManifest({
      apiVersion: object.apiVersion,
      kind: object.kind,
      metadata: {
        name: object.name,
        ...(object.namespace === "" ? {} : { namespace: object.namespace }),
        ...(object.annotations === undefined ? {} : { annotations: object.annotations })
      },
      status: object.status
    })
    if (readText(path) === text) return false
    mkdirSync(dirname(path), { recursive: true })
    const draft = join(dirname(path), `.${basename(object.name)}.${process.pid}`)
    writeFileSync(draft, text)
    renameSync(draft, path)
    return true
  })

/** Removes the status of an object that is gone. Answers whether there was one. */
export const removeStatus = (
  folder: string,
  object: Pick<ObjectStatus, "kind" | "namespace" | "name">
): Effect.Effect<boolean, StatusUnwritable> =>
  attempt(statusPath(folder, object), (path) => {
    if (readText(path) === undefined) return false
    rmSync(path)
    return true
  })

/** The addresses that the status of a Service lists; none when there is no status, or none that can be read. */
export const readStatusAddresses = (
  folder: string,
  service: { readonly namespace: string; readonly name: string }
): ReadonlyArray<string> => {
  try {
    const text = readText(statusPath(folder, { kind: "Service", ...service })) ?? ""
    // As `writeStatus` writes it.
    return [...text.matchAll(/^\s+- ip: "?([^"\s]+)"?$/gm)].flatMap(([, found = ""]) => {
      const address = parseIpAddress(found)
      return Result.isSuccess(address) ? formatIpAddress(address.success) : []
    })
  } catch {
    return []
  }
}

const attempt = (path: string, act: (path: string) => boolean): Effect.Effect<boolean, StatusUnwritable> =>
  Effect.try({ try: () => act(path), catch: (cause) => new StatusUnwritable({ path, cause }) })

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined
    throw cause
  }
}
