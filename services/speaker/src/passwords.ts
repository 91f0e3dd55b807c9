import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { NodePeer } from "@lowtide/domain/announcing/intent"
import type { ClusterChange } from "@lowtide/kube/cluster-source"
import { inlinePassword } from "@lowtide/kube/redact"
import { md5KeyBytesMax } from "@lowtide/sockets"
import { Result } from "effect"

/** The password of a peer as it is on the node now, or why there is none. */
export type PasswordLookup = () => Result.Result<Uint8Array, string>

/**
 * The passwords of peers, which are read on the node and never come from the centre: those of Secrets from files, laid out
 * as `FOLDER/NAMESPACE/NAME/password` (a Secret mounted as a volume is such a folder), those that stand in a BGPPeer from
 * the node's own source of manifests. They are looked up at each attempt to connect, so that a changed one is taken up by
 * a session when it begins anew, and by no other.
 */
export class Passwords {
  readonly #folder: string | undefined
  /** By the name of the BGPPeer; undefined before the manifests were read. */
  #inline: ReadonlyMap<string, string> | undefined

  constructor(folder: string | undefined) {
    this.#folder = folder
  }

  /** Whether manifests were read. */
  get isRead(): boolean {
    return this.#inline !== undefined
  }

  /** Takes what stands in BGPPeers now. */
  take({ objects }: Pick<ClusterChange, "objects">): void {
    const inline = new Map<string, string>()
    for (const { raw } of objects.values()) {
      const password = inlinePassword(raw)
      if (password !== undefined) inline.set(raw.name, password)
    }
    this.#inline = inline
  }

  /** Whether there is a point in looking for the peer's password: one that stands in a BGPPeer waits for the manifests. */
  mayBegin({ password }: NodePeer): boolean {
    return password?.from !== "peer" || this.isRead
  }

  /** How the peer's password is found; undefined where it has none. */
  of(peer: NodePeer): PasswordLookup | undefined {
    const { password } = peer
    if (password === undefined) return undefined
    return () => Result.flatMap(password.from === "peer" ? this.#inPeer(peer.name) : this.#inSecret(password), judgeKey)
  }

  #inPeer(name: string): Result.Result<Uint8Array, string> {
    const found = this.#inline?.get(name)
    return found === undefined
      ? Result.fail(`its password is not on this node: expected spec.password of BGPPeer ${name} among the manifests`)
      : Result.succeed(new TextEncoder().encode(found))
  }

  #inSecret({
    namespace,
    name
  }: {
    readonly namespace: string
    readonly name: string
  }): Result.Result<Uint8Array, string> {
    const secret = `Secret ${namespace}/${name}`
    if (this.#folder === undefined) {
      return Result.fail(`its password is not on this node: it is in ${secret}, and LOWTIDE_SECRETS_DIR is not set`)
    }
    const file = join(this.#folder, namespace, name, "password")
    try {
      // Who writes a file by hand ends the line; no password ends with one.
      const octets = readFileSync(file)
      const end = octets.at(-1) === 0x0a ? octets.length - (octets.at(-2) === 0x0d ? 2 : 1) : octets.length
      return Result.succeed(octets.subarray(0, end))
    } catch (cause) {
      const found = (cause as NodeJS.ErrnoException).code ?? String(cause)
      return Result.fail(`its password is not on this node: expected that of ${secret} in ${file}, found ${found}`)
    }
  }
}

const judgeKey = (key: Uint8Array): Result.Result<Uint8Array, string> => {
  return key.length >= 1 && key.length <= md5KeyBytesMax
    ? Result.succeed(key)
    : Result.fail(
        `its password on this node cannot be one: expected 1 to ${md5KeyBytesMax} octets, found ${key.length}`
      )
}
