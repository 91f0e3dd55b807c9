/** Sockets with the options that Node does not set: TCP-MD5, GTSM, TTL, bound interfaces. Linux only. */
export { acceptFrom, type Sender, sendersMax } from "./datagram-filter.ts"
export * from "./fault.ts"
export { md5KeyBytesMax } from "./options.ts"
export { interfaceIndex, parseScopedAddress, type ScopedAddress } from "./socket-address.ts"
export * from "./tcp.ts"
export * from "./udp.ts"
