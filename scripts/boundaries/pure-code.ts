import { isNode, type Place, type Source, type SyntaxNode, walk } from "./syntax.ts"

/** What pure code may not mention at all, and why. */
const banned: Readonly<Record<string, string>> = {
  process: "the process and its environment",
  performance: "a clock",
  setTimeout: "a clock",
  setInterval: "a clock",
  setImmediate: "a clock",
  queueMicrotask: "a clock",
  crypto: "randomness",
  console: "I/O",
  fetch: "I/O",
  require: "the file system",
  globalThis: "a way to all of these"
}

/** What of `Date` depends on nothing but its arguments. */
const deterministicDate = ["UTC", "parse"]

/** One use of something that pure code may not use. */
export interface ImpureUse {
  readonly line: number
  readonly message: string
}

/** The impure uses of a file: the words above, `Date` without arguments, `Math.random`, and aliases of both. Types are free. */
export const impureUses = (source: Source): ReadonlyArray<ImpureUse> => {
  const uses: Array<ImpureUse> = []
  walk(source.program, (node, place) => {
    if (isTypeOnly(node)) return false
    const message = impurity(node, place)
    if (message !== undefined) uses.push({ line: source.lineOf(node), message })
    return true
  })
  return uses
}

const impurity = (node: SyntaxNode, place: Place): string | undefined => {
  if (node.type === "MetaProperty" && isNode(node.meta) && node.meta.name === "import")
    return "pure code may not use import.meta: the file system"
  if (node.type !== "Identifier" || isOnlyAName(place)) return undefined
  const name = String(node.name)
  if (name === "Date") return dateImpurity(place)
  if (name === "Math") return mathImpurity(place)
  return Object.hasOwn(banned, name) ? `pure code may not use ${name}: ${banned[name]}` : undefined
}

const dateImpurity = ({ parent, key }: Place): string | undefined => {
  const member = memberOf(parent, key)
  if (member !== undefined && deterministicDate.includes(member)) return undefined
  const hasArguments = Array.isArray(parent?.arguments) && parent.arguments.length > 0
  if (parent?.type === "NewExpression" && key === "callee" && hasArguments) return undefined
  if (isInstanceCheck(parent, key)) return undefined
  return `pure code may not use Date${member === undefined ? "" : `.${member}`}: a clock; the time comes in as an argument`
}

const mathImpurity = ({ parent, key }: Place): string | undefined => {
  const member = memberOf(parent, key)
  return member === undefined || member === "random"
    ? "pure code may not use Math.random, nor Math as a value: randomness comes in as an argument"
    : undefined
}

/** The member of an object that is read by its name; undefined for every other use of the object. */
const memberOf = (parent: SyntaxNode | undefined, key: string): string | undefined =>
  parent?.type === "MemberExpression" && key === "object" && parent.computed === false && isNode(parent.property)
    ? String(parent.property.name)
    : undefined

const isInstanceCheck = (parent: SyntaxNode | undefined, key: string): boolean =>
  parent?.type === "BinaryExpression" && parent.operator === "instanceof" && key === "right"

/** Whether an identifier is a member's or a key's name and not a reference. */
const isOnlyAName = ({ parent, key }: Place): boolean => {
  if (parent === undefined || parent.computed === true) return false
  if (parent.type === "MemberExpression") return key === "property"
  if (["Property", "MethodDefinition", "PropertyDefinition", "AccessorProperty"].includes(parent.type))
    return key === "key"
  return ["ImportSpecifier", "ExportSpecifier", "LabeledStatement", "BreakStatement", "ContinueStatement"].includes(
    parent.type
  )
}

/** Expressions that TypeScript wraps (`x as T`) hold code; everything else of its own is type. */
const isTypeOnly = (node: SyntaxNode): boolean => node.type.startsWith("TS") && !isNode(node.expression)
