import { libc } from "./libc.ts"

/**
 * Gives what the C library holds of freed memory back to the kernel (malloc_trim(3)); answers whether there was any. A Node
 * process keeps some 15 MiB of it after its start. Does nothing where the library cannot, or is not there.
 */
export const returnFreeMemory = (): boolean => {
  try {
    return libc().malloc_trim?.(0) === 1
  } catch {
    return false
  }
}
