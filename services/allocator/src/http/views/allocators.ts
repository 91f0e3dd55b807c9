import type { AllocatorView } from "@lowtide/api/allocators"
import type { StoredAllocator } from "@lowtide/ledger"

/** One that reports each second and has not for so long has ended, hangs, or has lost the database. */
const silentAfterMs = 10_000

/** Whether it has ended, as far as the others can tell. */
export const isAllocatorSilent = ({ seenAt }: StoredAllocator, known: ReadonlyArray<StoredAllocator>): boolean =>
  Math.max(...known.map(({ seenAt }) => Date.parse(seenAt))) - Date.parse(seenAt) > silentAfterMs

/** The list as readers see it. Ages are by the database's clock: the newest report is the yardstick. */
export const allocatorItems = (
  known: ReadonlyArray<StoredAllocator>,
  position: number
): ReadonlyArray<AllocatorView> => {
  return known.map((allocator) => {
    const { name, id, url, startedAt, seenAt, leads } = allocator
    const isSilent = isAllocatorSilent(allocator, known)
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
