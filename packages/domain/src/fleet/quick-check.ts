import { Schema, type SchemaAST } from "effect"

type Check = (value: unknown) => boolean

/**
 * `Schema.is`, for parsed JSON, at a fifth of its cost: a leader checks hundreds of thousands of states before it may decide.
 * The parts that plain data is made of become a chain of closures; where they find fault, or meet a part that they do not
 * know, the schema itself is asked, so that both always say the same.
 */
export const quickIs = (schema: Schema.Codec<unknown>): Check => {
  const isSurely = checkOf(schema.ast)
  const is = Schema.is(schema)
  return (value) => isSurely(value) || is(value)
}

/** True only where the schema says so as well; false may mean that it is not known. */
export const checkOf = (ast: SchemaAST.AST): Check => {
  // A part that is encoded, or checked further, is the schema's own business; numbers are checked for what they are here.
  if (ast.encoding !== undefined || ("encodingChecks" in ast && ast.encodingChecks !== undefined)) return never
  if (ast._tag === "Number") return numberOf(ast)
  if (ast.checks !== undefined) return never
  switch (ast._tag) {
    case "String":
      return (value) => typeof value === "string"
    case "Boolean":
      return (value) => typeof value === "boolean"
    case "Null":
      return (value) => value === null
    case "Unknown":
      return always
    case "Literal":
      return (value) => value === ast.literal
    case "Union":
      return ast.options?.mode === "oneOf" ? never : anyOf(ast.types.map(checkOf))
    case "Arrays":
      return ast.elements.length === 0 && ast.rest.length === 1 ? everyOne(ast.rest.map(checkOf)) : never
    case "Objects":
      return ast.indexSignatures.length === 0 ? struct(ast) : record(ast)
    default:
      return never
  }
}

const never: Check = () => false
const always: Check = () => true

const numberOf = (ast: SchemaAST.Number): Check => {
  const isFine = (value: number) =>
    (ast.checks ?? []).every((check) => check._tag === "Filter" && check.run(value, ast, {}) === undefined)
  return (value) => typeof value === "number" && isFine(value)
}

const anyOf =
  (checks: ReadonlyArray<Check>): Check =>
  (value) => {
    for (const check of checks) if (check(value)) return true
    return false
  }

const everyOne = ([check = never]: ReadonlyArray<Check>): Check => {
  return (value) => {
    if (!Array.isArray(value)) return false
    for (const item of value) if (!check(item)) return false
    return true
  }
}

const struct = ({ propertySignatures }: SchemaAST.Objects): Check => {
  const fields = propertySignatures.map(({ name, type }) => ({
    name,
    check: checkOf(type),
    isOptional: type.context?.isOptional === true
  }))
  return (value) => {
    if (!isRecord(value)) return false
    for (const { name, check, isOptional } of fields) {
      const field = value[name]
      if (field === undefined ? !isOptional || Object.hasOwn(value, name) : !check(field)) return false
    }
    return true
  }
}

/** Any text as key. */
const record = ({ propertySignatures, indexSignatures }: SchemaAST.Objects): Check => {
  const [only, ...others] = indexSignatures
  if (only === undefined || others.length > 0 || propertySignatures.length > 0) return never
  if (only.parameter._tag !== "String" || only.parameter.checks !== undefined) return never
  const check = checkOf(only.type)
  return (value) => {
    if (!isRecord(value)) return false
    for (const key in value) if (!check(value[key])) return false
    return true
  }
}

const isRecord = (value: unknown): value is Readonly<Record<PropertyKey, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
