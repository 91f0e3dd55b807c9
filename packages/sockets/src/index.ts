/** Sockets with the options that Node does not set: TCP-MD5, GTSM, TTL, bound interfaces; and a thread in real time. Linux only. */
export { acceptFrom, type Sender, sendersMax } from "./datagram-filter.ts"
export * from "./fault.ts"
export { returnFreeMemory } from "./memory.ts"
export { md5KeyBytesMax } from "./options.ts"
export * from "./scheduling.ts"
export { interfaceIndex } from "./socket-address.ts"
export * from "./tcp.ts"
export * from "./udp.ts"
