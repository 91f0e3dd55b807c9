import { readFileSync } from "node:fs"
import { parseSync } from "vite"

/** A node of the syntax tree, as ESTree and its TypeScript part name them. */
export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly [key: string]: unknown
}

/** A parsed source file. `error` is the first syntax error. */
export interface Source {
  readonly program: SyntaxNode
  readonly error: { readonly message: string; readonly line: number } | undefined
  readonly lineOf: (node: SyntaxNode) => number
}

/** Where a node stands in its parent. */
export interface Place {
  readonly parent: SyntaxNode | undefined
  readonly key: string
}

/** Parses a TypeScript file. */
export const parseFile = (path: string): Source => {
  const text = readFileSync(path, "utf8")
  const { program, errors } = parseSync(path, text)
  const lineAt = (offset: number) => text.slice(0, offset).split("\n").length
  const first = errors[0]
  return {
    program: program as unknown as SyntaxNode,
    error: first && { message: first.message, line: lineAt(first.labels[0]?.start ?? 0) },
    lineOf: (node) => lineAt(node.start)
  }
}

/** Calls `visit` for every node from the top down; a `visit` that answers false keeps its children out. */
export const walk = (
  node: SyntaxNode,
  visit: (node: SyntaxNode, place: Place) => boolean,
  place: Place = { parent: undefined, key: "" }
): void => {
  if (!visit(node, place)) return
  for (const [key, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value])
      if (isNode(child)) walk(child, visit, { parent: node, key })
  }
}

/** Whether a value is a node of the tree. */
export const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string"
