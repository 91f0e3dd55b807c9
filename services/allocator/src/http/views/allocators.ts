import type { AllocatorView } from "@lowtide/api/allocators"
import type { StoredAllocator } from "@lowtide/ledger"

/** One that reports each second and has not for so long has ended, hangs, or has lost the database. */
const silentAfterMs = 10_000

/** The list as readers see it. Ages are by the database's clock: the newest report is the yardstick. */
export const allocatorItems = (
  known: ReadonlyArray<StoredAllocator>,
  position: number
): ReadonlyArray<AllocatorView> => {
  const newestMs = Math.max(...known.map(({ seenAt }) => Date.parse(seenAt)))
  return known.map((allocator) => {
    const { name, id, url, startedAt, seenAt, leads } = allocator
    const isSilent = newestMs - Date.parse(seenAt) > silentAfterMs
    return {
      name,
      id,
      url,
      state: leads ? "leader" : isSilent ? "silent" : "follower",
      position: allocator.position,
      lagEvents: Math.max(0, position - allocator.position),
      startedAt,
      seenAt
    }
  })
}
