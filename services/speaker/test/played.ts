import type { PeerEvent, PeerOptions, PeerStatus } from "@lowtide/bgp/peer"
import type { RouteChange } from "@lowtide/bgp/route"
import { Effect } from "effect"
import type { SpeakerDiagnosis } from "../src/diagnosis/diagnosis.ts"
import type { SpeakerLife } from "../src/life.ts"
import type { Found } from "../src/peer-options.ts"
import type { PeersPort } from "../src/peers.ts"
import type { SpeakerPort } from "../src/speaker-port.ts"
import { Withheld } from "../src/withheld.ts"

/** The life of a process that is the first of its node, and leaves nothing to the next. */
export const firstLife: SpeakerLife = {
  former: undefined,
  hasBooted: undefined,
  whyOld: () => undefined,
  begin: () => {},
  note: () => {},
  keepLost: () => {}
}

/** Finds nothing out. */
export const noDiagnosis: SpeakerDiagnosis = { note: () => {}, of: () => [] }

/** Nothing was ever withheld, and what is from now on is on a disk that is a list. */
export const nothingWithheld = (disk: Array<string> = []): Withheld =>
  new Withheld(
    { read: () => disk.slice(-1).map((text) => ({ name: "disk", text })), write: (text) => void disk.push(text) },
    "2026-11-23T14:05:00.000Z"
  )
/** A node that has neither passwords nor neighbours. */
export const nothingFound: Found = {
  passwordOf: () => undefined,
  neighborOf: ({ interface: device }) => ({ host: device })
}

/** Interfaces that nobody is on. */
export const nobody: SpeakerPort["neighbors"] = {
  want: () => {},
  tick: () => {},
  on: () => ({ _tag: "Nobody" }),
  whyNot: (device) => `it is not known who is on ${device}: nobody is`
}

/** Peers whose sessions are played by a test, and what they were given. */
export const playedPeers = () => {
  const given: Array<{ readonly changes: ReadonlyArray<RouteChange>; readonly token: number | undefined }> = []
  const heard: Array<(event: PeerEvent) => void> = []
  const adjusted: Array<PeerOptions> = []
  const answers = { isToldAnew: false }
  const startPeer: PeersPort["startPeer"] = (options, onEvent) => {
    heard.push(onEvent)
    return Effect.succeed({
      options,
      adjust: (wanted) => {
        adjusted.push(wanted)
        return answers.isToldAnew
      },
      change: (changes, token) => void given.push({ changes, token }),
      accept: () => false,
      status: () =>
        ({
          state: "Idle",
          sinceUnixMs: 0,
          lastError: {},
          prefixesSent: 0,
          prefixesReceived: 0
        }) as unknown as PeerStatus,
      isSent: () => false,
      isPending: () => false,
      pathFailed: () => {},
      stop: () => Effect.void
    })
  }
  /** What happened on the session that was begun last. */
  const hear = (event: PeerEvent) => heard.at(-1)?.(event)
  return { startPeer, given, hear, adjusted, answers }
}
