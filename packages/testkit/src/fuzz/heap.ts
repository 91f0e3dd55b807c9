import { Session } from "node:inspector/promises"

/** Octets of the heap that are in use once all garbage is gone. */
export const heapInUse = async (): Promise<number> => {
  const session = new Session()
  session.connect()
  await session.post("HeapProfiler.collectGarbage")
  session.disconnect()
  return process.memoryUsage().heapUsed
}
