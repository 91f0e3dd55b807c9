import { isNode, type Source, type SyntaxNode, walk } from "./syntax.ts"

/** One import of a file, of whatever form. `target` is undefined when it is computed at run time. */
export interface Import {
  readonly target: string | undefined
  readonly line: number
}

/** All imports of a file: static, of types, re-exports, dynamic, `require` in its forms. */
export const importsOf = (source: Source): ReadonlyArray<Import> => {
  const imports: Array<Import> = []
  walk(source.program, (node) => {
    const target = targetOf(node)
    if (target !== undefined) imports.push({ target: literal(target), line: source.lineOf(node) })
    return true
  })
  return imports
}

/** The node that names what is imported; undefined when `node` is no import. */
const targetOf = (node: SyntaxNode): SyntaxNode | undefined => {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return isNode(node.source) ? node.source : undefined
    case "TSExternalModuleReference":
      return isNode(node.expression) ? node.expression : undefined
    case "CallExpression":
      return isNamed(node.callee, "require") && Array.isArray(node.arguments) ? node.arguments[0] : undefined
    default:
      return undefined
  }
}

const isNamed = (node: unknown, name: string): boolean =>
  isNode(node) && node.type === "Identifier" && node.name === name

const literal = (node: SyntaxNode): string | undefined => (typeof node.value === "string" ? node.value : undefined)
