import type { StoredEvent } from "@lowtide/ledger"
import { fail } from "./violation.ts"

interface Selector {
  readonly matchLabels: Readonly<Record<string, string>>
}

interface Manifest {
  readonly kind: string
  readonly name: string
  readonly spec: {
    readonly ipAddressPools?: ReadonlyArray<string>
    readonly nodeSelectors?: ReadonlyArray<Selector>
    readonly peers?: ReadonlyArray<string>
    readonly serviceSelectors?: ReadonlyArray<Selector>
  }
}

type Labels = Readonly<Record<string, string>>

/** What is to be announced, and by whom. */
export interface Asked {
  readonly cluster: string
  readonly nodeLabels: Labels
  readonly pool: string
  /** Those of its Services. */
  readonly labels: ReadonlyArray<Labels>
}

/** What configuration lets nodes announce, written a second time: from the manifests that the log has. */
export class ConfigLaw {
  /** By cluster, kind and name: what the log has, and the versions by which routes go until a second person approves. */
  readonly #newest = new Map<string, Manifest>()
  readonly #kept = new Map<string, Manifest>()

  /** How often the log says that a manifest is gone, by the same. */
  readonly #deletions = new Map<string, number>()

  note({ stream, type }: StoredEvent, after: unknown): void {
    const kind = stream.slice(0, stream.indexOf(":"))
    if (kind !== "manifest" && kind !== "kept") return
    const key = stream.slice(kind.length + 1)
    if (type === "ManifestDeleted") this.#deletions.set(key, (this.#deletions.get(key) ?? 0) + 1)
    const manifests = kind === "kept" ? this.#kept : this.#newest
    const state = after as { readonly manifest?: Manifest; readonly version?: { readonly manifest?: Manifest } } | null
    const manifest = state?.manifest ?? state?.version?.manifest
    if (manifest === undefined) manifests.delete(key)
    else manifests.set(key, manifest)
  }

  /** A manifest is gone no more often than people took it away, whatever a source did not show. */
  deleted({ seq, stream }: StoredEvent, removals: (cluster: string, key: string) => number): void {
    const key = stream.slice(stream.indexOf(":") + 1)
    const [cluster = "", kind = "", _namespace, name = ""] = key.split("/")
    if ((this.#deletions.get(key) ?? 0) > removals(cluster, `${kind}/${name}`))
      fail("L9", `event ${seq} deletes ${kind} ${name} of ${cluster}, which is there`)
  }

  lost(): void {
    this.#deletions.clear()
    this.#newest.clear()
    this.#kept.clear()
  }

  /** Whether some Advertisement covers the address, and has a peer with a session on the node. */
  mayAnnounce({ cluster, nodeLabels, pool, labels }: Asked): boolean {
    const inEffect = [...new Map([...this.#newest, ...this.#kept])].flatMap(([key, manifest]) =>
      key.startsWith(`${cluster}/`) ? manifest : []
    )
    const peers = inEffect.filter(({ kind, spec }) => kind === "BGPPeer" && selects(spec.nodeSelectors, nodeLabels))
    return inEffect.some(
      ({ kind, spec }) =>
        kind === "BGPAdvertisement" &&
        (spec.ipAddressPools ?? [pool]).includes(pool) &&
        selects(spec.nodeSelectors, nodeLabels) &&
        labels.some((each) => selects(spec.serviceSelectors, each)) &&
        peers.some(({ name }) => (spec.peers ?? [name]).includes(name))
    )
  }
}

const selects = (selectors: ReadonlyArray<Selector> | undefined, labels: Labels): boolean =>
  selectors === undefined ||
  selectors.some(({ matchLabels }) => Object.entries(matchLabels).every(([name, value]) => labels[name] === value))
