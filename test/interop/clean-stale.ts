import { cleanStale } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"

/** Before the system tier: what a run that was killed left in network namespaces goes, and nothing of a run that lives. */
export default async function setup(): Promise<void> {
  if (process.getuid?.() === 0) await Effect.runPromise(cleanStale)
}
