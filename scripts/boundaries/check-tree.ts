import { existsSync, readdirSync, readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { dirname, join, normalize } from "node:path"
import { type Import, importsOf } from "./imports.ts"
import { impureUses } from "./pure-code.ts"
import {
  allowedInServices,
  allowedLibraries,
  allowedOutside,
  allowedPackages,
  isPure,
  type Rule,
  type Violation
} from "./rules.ts"
import { parseFile } from "./syntax.ts"

/** A workspace of the tree: `packages/net`, `services/agent`. */
interface Workspace {
  readonly folder: string
  readonly name: string
  readonly isService: boolean
  readonly declared: ReadonlyArray<string>
}

/** What breaks the rules in a tree, and how many files were read. */
export interface TreeCheck {
  readonly files: number
  readonly violations: ReadonlyArray<Violation>
}

/** Reads every source file of the tree's packages and services. */
export const checkTree = (root: string): TreeCheck => {
  const workspaces = ["packages", "services"].flatMap((kind) => workspacesOf(root, kind))
  const files = workspaces.flatMap((workspace) =>
    sourcesOf(root, join(workspace.folder, "src")).map((file) => ({ workspace, file }))
  )
  return {
    files: files.length,
    violations: [
      ...workspaces.flatMap((workspace) => checkManifest(root, workspace)),
      ...files.flatMap(({ workspace, file }) => checkFile(root, workspace, file))
    ]
  }
}

const workspacesOf = (root: string, kind: string): ReadonlyArray<Workspace> =>
  (existsSync(join(root, kind)) ? readdirSync(join(root, kind)).sort() : []).flatMap((name) => {
    const manifest = join(root, kind, name, "package.json")
    if (!existsSync(manifest)) return []
    const { dependencies = {}, peerDependencies = {} } = JSON.parse(readFileSync(manifest, "utf8"))
    const declared = [...Object.keys(dependencies), ...Object.keys(peerDependencies)]
    return [{ folder: `${kind}/${name}`, name, isService: kind === "services", declared }]
  })

const sourcesOf = (root: string, folder: string): ReadonlyArray<string> =>
  !existsSync(join(root, folder))
    ? []
    : readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.[cm]?tsx?$/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
        .sort()

const allowedIn = (workspace: Workspace): ReadonlyArray<string> =>
  workspace.isService ? allowedInServices : (allowedPackages[workspace.name] ?? [])

/** A dependency that may not be imported may not be declared either. */
const checkManifest = (root: string, workspace: Workspace): ReadonlyArray<Violation> => {
  const file = `${workspace.folder}/package.json`
  const lines = readFileSync(join(root, file), "utf8").split("\n")
  return workspace.declared.flatMap((name) => {
    const message = directionFault(workspace, name)
    const line = lines.findIndex((text) => text.includes(`"${name}"`)) + 1
    return message === undefined ? [] : [{ file, line, message, rule: "direction" as const }]
  })
}

const checkFile = (root: string, workspace: Workspace, file: string): ReadonlyArray<Violation> => {
  const source = parseFile(join(root, file))
  if (source.error !== undefined)
    return [{ file, line: source.error.line, message: source.error.message, rule: "syntax" }]
  const impure = isPure(file) ? impureUses(source).map((use) => ({ file, ...use, rule: "pure" as const })) : []
  const imports = importsOf(source).flatMap((found) => {
    const fault = importFault(workspace, file, found)
    return fault === undefined ? [] : [{ file, line: found.line, message: fault[1], rule: fault[0] }]
  })
  return [...imports, ...impure].sort((left, right) => left.line - right.line)
}

const importFault = (workspace: Workspace, file: string, { target }: Import): readonly [Rule, string] | undefined => {
  if (target === undefined) return ["computed", "an import names its target in a plain string, or it cannot be checked"]
  if (target.startsWith(".") || target.startsWith("/")) return relativeFault(workspace, file, target)
  if (isBuiltin(target)) {
    if (!target.startsWith("node:")) return ["builtin", `expected "node:${target}", found "${target}"`]
    return isPure(file) ? ["pure", `pure code may not import ${target}`] : undefined
  }
  const name = packageName(target)
  const direction = directionFault(workspace, name)
  if (direction !== undefined) return ["direction", direction]
  const libraries = workspace.isService ? undefined : allowedLibraries[workspace.name]
  if (libraries !== undefined && !isOurs(name) && !libraries.includes(name))
    return ["external", `${workspace.folder} may import ${libraries.join(" and ")} only, found ${name}`]
  if (!workspace.declared.includes(name)) return ["declared", `${name} is not in ${workspace.folder}/package.json`]
  return undefined
}

const relativeFault = (workspace: Workspace, file: string, target: string): readonly [Rule, string] | undefined => {
  const path = normalize(join(dirname(file), target))
  const outside = allowedOutside[workspace.name]
  const mayReach = [`${workspace.folder}/src`, ...(outside === undefined || workspace.isService ? [] : [outside])]
  if (target.startsWith("/") || !mayReach.some((folder) => path.startsWith(`${folder}/`)))
    return ["relative", `${target} leaves ${workspace.folder}/src; import a package by its name`]
  if (isPure(file) && !isPure(path)) return ["pure", `pure code may not import ${path}, which is not in a pure folder`]
  return undefined
}

const directionFault = (workspace: Workspace, name: string): string | undefined => {
  if (!isOurs(name)) return undefined
  const allowed = allowedIn(workspace)
  if (allowed.includes(name.slice("@lowtide/".length))) return undefined
  const list = allowed.length === 0 ? "none of our packages" : `only ${allowed.join(", ")}`
  return `${workspace.folder} may import ${list}, found ${name}`
}

const isOurs = (name: string): boolean => name.startsWith("@lowtide/")

const packageName = (target: string): string =>
  target
    .split("/")
    .slice(0, target.startsWith("@") ? 2 : 1)
    .join("/")
