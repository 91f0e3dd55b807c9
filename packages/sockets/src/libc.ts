import { createRequire } from "node:module"
import { constants } from "node:os"
import { SocketFault } from "./fault.ts"

/** The calls of the C library that this package makes. Descriptors are plain numbers; a result below zero is an error. */
interface Libc {
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly bind: (fd: number, address: Uint8Array, length: number) => number
  readonly listen: (fd: number, backlog: number) => number
  readonly close: (fd: number) => number
  readonly setsockopt: (fd: number, level: number, option: number, value: Uint8Array, length: number) => number
  readonly getsockopt: (fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array) => number
  readonly recvfrom: (
    fd: number,
    buffer: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array | null,
    addressLength: Uint8Array | null
  ) => number
  readonly sendto: (
    fd: number,
    octets: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number
  ) => number
  readonly sched_setscheduler: (pid: number, policy: number, parameters: Uint8Array) => number
  readonly ioctl: (fd: number, request: number, value: Uint8Array) => number
  /** Undefined where the C library has none (musl). */
  readonly malloc_trim: ((pad: number) => number) | undefined
  readonly errno: () => number
  /** Where the octets of a buffer are in memory. The buffer must be kept until the kernel is done with them. */
  readonly addressOf: (buffer: Uint8Array) => bigint
}

let loaded: Libc | undefined

/** Loads the C library at the first use: whoever needs no option that Node lacks runs without it, also off Linux. */
export const libc = (): Libc => {
  loaded ??= load()
  return loaded
}

const load = (): Libc => {
  const require = createRequire(import.meta.url)
  let koffi: typeof import("koffi")
  try {
    koffi = require("koffi")
  } catch (cause) {
    throw new SocketFault({
      operation: "load koffi, which calls the C library",
      detail: `it is not beside the program, or not for ${process.platform}-${process.arch}: ${messageOf(cause)}`
    })
  }
  const library = openLibrary(koffi)
  return {
    socket: library.func("int socket(int, int, int)"),
    bind: library.func("int bind(int, const void*, unsigned int)"),
    listen: library.func("int listen(int, int)"),
    close: library.func("int close(int)"),
    setsockopt: library.func("int setsockopt(int, int, int, const void*, unsigned int)"),
    getsockopt: library.func("int getsockopt(int, int, int, void*, void*)"),
    ioctl: library.func("int ioctl(int, unsigned long, void*)"),
    recvfrom: library.func("long recvfrom(int, void*, size_t, int, void*, void*)"),
    sendto: library.func("long sendto(int, const void*, size_t, int, const void*, unsigned int)"),
    sched_setscheduler: library.func("int sched_setscheduler(int, int, const void*)"),
    malloc_trim: unlessMissing(() => library.func("int malloc_trim(size_t)")),
    errno: () => koffi.errno(),
    addressOf: (buffer) => koffi.address(buffer)
  }
}

const unlessMissing = <A>(find: () => A): A | undefined => {
  try {
    return find()
  } catch {
    return undefined
  }
}

/** glibc's name, then musl's. */
const names = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]

const openLibrary = (koffi: typeof import("koffi")) => {
  if (process.platform !== "linux") {
    throw new SocketFault({ operation: "open the C library", detail: `expected Linux, found ${process.platform}` })
  }
  const reasons = []
  for (const name of names) {
    try {
      return koffi.load(name)
    } catch (cause) {
      reasons.push(messageOf(cause))
    }
  }
  throw new SocketFault({ operation: "open the C library", detail: reasons.join("; ") })
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Answers a result that is no error; throws what errno says otherwise. */
export const checked = (result: number, operation: string): number => {
  if (result >= 0) return result
  throw faultOf(operation)
}

/** What errno says of the call before, and what that means where `meanings` has it. */
export const faultOf = (operation: string, meanings: Readonly<Record<string, string>> = {}): SocketFault => {
  const errno = libc().errno()
  const code = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`
  const meaning = meanings[code]
  return new SocketFault({ operation, detail: meaning === undefined ? code : `${code}: ${meaning}`, code })
}
