import { checked, libc } from "./libc.ts"

const roundRobin = 2 // SCHED_RR
const resetOnFork = 0x4000_0000 // SCHED_RESET_ON_FORK: what is started runs as usual

/**
 * Lets the calling thread run before everything that is not in real time itself, with the least priority of those (sched(7)).
 * A nice value would only count within the thread's own group of processes. Needs CAP_SYS_NICE; throws `SocketFault` without.
 */
export const runInRealTime = (): void => {
  const parameters = Buffer.alloc(4) // struct sched_param
  parameters.writeInt32LE(1)
  checked(libc().sched_setscheduler(0, roundRobin | resetOnFork, parameters), "run in real time (SCHED_RR)")
}
