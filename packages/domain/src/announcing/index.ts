/** What the centre tells clusters and nodes, and what a node announces by it: section 5.2 and 6 of the design, as pure functions. */
export * from "./affected.ts"
export * from "./intent.ts"
export * from "./intent-book.ts"
export * from "./node-routes.ts"
export * from "./resolve.ts"
export * from "./subject.ts"
export * from "./unsaid.ts"
