/** The fleet as the log knows it: commands in, events out, the newest state of every stream in memory. */
export * from "./command.ts"
export * from "./decide.ts"
export * from "./draft.ts"
export * from "./event.ts"
export * from "./fleet.ts"
export * from "./observation.ts"
export * from "./stream.ts"
