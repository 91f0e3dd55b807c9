import { runHistory, type Told } from "./simulation.ts"

/** Histories one after another, from a seed on. Throws `HistoryFailed` at the first that breaks a law. */
export const runHistories = async (plan: {
  readonly seed: number
  readonly steps: number
  /** True where the database is to go back now and then in every history, not only in each third. */
  readonly losesHistory?: boolean
  /** Asked before each history with what has been done so far. */
  readonly isEnough: (sum: Told & { readonly histories: number }) => boolean
}): Promise<Told & { readonly histories: number }> => {
  let sum = { histories: 0, commands: 0, events: 0, faults: 0 }
  while (!plan.isEnough(sum)) {
    const told = await runHistory(plan.seed + sum.histories, plan.steps, plan.losesHistory)
    sum = {
      histories: sum.histories + 1,
      commands: sum.commands + told.commands,
      events: sum.events + told.events,
      faults: sum.faults + told.faults
    }
  }
  return sum
}

/** Seeds of one run are apart from those of another, and short enough to be read out. */
export const freshSeed = (): number => 1 + Math.floor(Math.random() * 1_000_000_000)
