/** What manifests would come to, by the code that decides for real, with no server and nothing kept. */
export * from "./findings.ts"
export * from "./preview.ts"
