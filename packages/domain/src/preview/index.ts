/** What manifests would come to, by the code that decides for real, with no server and nothing kept. */
export type { PreviewOptions } from "./decided.ts"
export * from "./findings.ts"
export type { Announcement, PreviewedNode, PreviewedPeer } from "./node-answers.ts"
export * from "./preview.ts"
