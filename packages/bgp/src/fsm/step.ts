import type { SessionConfig } from "./config.ts"
import { active, connect, idle } from "./connecting.ts"
import { established } from "./established.ts"
import type { Input, State, Step } from "./machine.ts"
import { openConfirm, openSent } from "./opening.ts"

/** RFC 4271 §8.2.2. Answers every (state, input) pair. */
export const step = (config: SessionConfig, state: State, input: Input): Step => {
  switch (state._tag) {
    case "Idle":
      return idle(config, state, input)
    case "Connect":
      return connect(config, state, input)
    case "Active":
      return active(config, state, input)
    case "OpenSent":
      return openSent(config, state, input)
    case "OpenConfirm":
      return openConfirm(config, state, input)
    case "Established":
      return established(config, state, input)
  }
}
