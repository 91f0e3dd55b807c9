import type { Sessions } from "../sessions.ts"

/**
 * Which sessions somebody still wants. While no owner is there, all stay as they are: a speaker restarts. When one has come,
 * what it does not set within the claim time was meant for a configuration that is no more, and is removed.
 */
export interface Ownership {
  readonly begin: () => void
  readonly claim: (name: string) => void
  readonly end: () => void
}

export const makeOwnership = (
  sessions: Sessions,
  { claimMs, onUnclaimed }: { readonly claimMs: number; readonly onUnclaimed: (name: string) => void }
): Ownership => {
  let claimed = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  const removeUnclaimed = () => {
    for (const name of sessions.names()) {
      if (claimed.has(name)) continue
      onUnclaimed(name)
      sessions.remove(name)
    }
  }
  return {
    begin: () => {
      claimed = new Set()
      timer = setTimeout(removeUnclaimed, claimMs)
    },
    claim: (name) => claimed.add(name),
    end: () => clearTimeout(timer)
  }
}
