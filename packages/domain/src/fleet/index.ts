/** The fleet as the log knows it: commands in, events out, the newest state of every stream in memory. */
export { blastRadiusOf, budgetUse, heldBy, keptOf, routesWaiting, waitingOrders } from "./budget.ts"
export * from "./command.ts"
export * from "./decide.ts"
export * from "./draft.ts"
export * from "./event.ts"
export { notYet } from "./finalise.ts"
export * from "./fleet.ts"
export { fleetPoolFindings, poolsOfFleet, unselectedFinding } from "./fleet-pools.ts"
export * from "./fleet-version.ts"
export type { KeptStreams, RowKeeper, WaitingRow } from "./kept-streams.ts"
export * from "./observation.ts"
export {
  type DoubleHolding,
  doubleHoldings,
  incarnationMax,
  isOpenTo,
  isTaken,
  mayHavePart,
  settledAtOnce
} from "./recovery.ts"
export * from "./state-shapes.ts"
export { type StateShape, Unreadable } from "./stored.ts"
export * from "./stream.ts"
export * from "./stream-versions.ts"
