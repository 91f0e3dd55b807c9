import { stringify } from "yaml"

/** What a manifest for others to read consists of. */
export interface ManifestText {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly spec?: unknown
  readonly status?: unknown
}

/** A manifest as YAML, one document; equal objects give equal text. */
export const formatManifest = (manifest: ManifestText): string => stringify(manifest, { lineWidth: 0 })
