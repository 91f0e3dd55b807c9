/** Sockets with the options that Node does not set: TCP-MD5, GTSM, TTL, bound interfaces. Linux only. */
export * from "./fault.ts"
export { md5KeyBytesMax } from "./options.ts"
export { interfaceIndex } from "./socket-address.ts"
export * from "./tcp.ts"
export * from "./udp.ts"
