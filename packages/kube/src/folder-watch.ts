import { type FSWatcher, watch } from "node:fs"
import { join } from "node:path"
import { isManifestName, type Seen, statOf } from "./folder-scan.ts"

/**
 * The operating system's watches over a set of folders. They only hint: whoever uses them looks for himself, and walks
 * the folder now and then, since a watch may be refused (too many), lost with its folder, or absent on network mounts.
 */
export class FolderWatch {
  readonly #watchers = new Map<string, { readonly stamp: string; readonly watcher: FSWatcher }>()
  readonly #onFile: (path: string) => void
  readonly #onFolders: () => void

  /** `onFile` names a file that may have changed, `onFolders` asks for a walk over the whole. */
  constructor(on: { readonly file: (path: string) => void; readonly folders: () => void }) {
    this.#onFile = on.file
    this.#onFolders = on.folders
  }

  /** Watches exactly these folders; one that was replaced by another of its name is watched anew. Answers whether watches were added. */
  follow(folders: ReadonlyArray<Seen>): boolean {
    const wanted = new Map(folders.map((folder) => [folder.path, folder.stamp]))
    for (const [path, { stamp, watcher }] of this.#watchers) {
      if (wanted.get(path) === stamp) continue
      watcher.close()
      this.#watchers.delete(path)
    }
    let isAdded = false
    for (const [path, stamp] of wanted) {
      if (this.#watchers.has(path)) continue
      const watcher = this.#watch(path)
      if (watcher !== undefined) {
        this.#watchers.set(path, { stamp, watcher })
        isAdded = true
      }
    }
    return isAdded
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #watch(folder: string): FSWatcher | undefined {
    try {
      const watcher = watch(folder, (_, name) => this.#onEvent(folder, name))
      watcher.on("error", () => this.#onFolders())
      return watcher
    } catch {
      return undefined
    }
  }

  #onEvent(folder: string, name: string | null): void {
    if (name === null || name.startsWith("..")) return this.#onFolders() // `..data`: how Kubernetes swaps a volume
    if (name.startsWith(".")) return
    const path = join(folder, name)
    if (isManifestName(name)) return this.#onFile(path)
    const isFolder = this.#watchers.has(path) || statOf(path)?.isDirectory() === true
    if (isFolder || folder.endsWith(name)) this.#onFolders() // the name of the watched folder itself: it went away
  }
}
