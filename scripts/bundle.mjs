// Puts a program into one file, services/NAME/dist/main.mjs: it starts three times as fast as the sources do. See `--help`.
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import { join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const projectRoot = fileURLToPath(new URL("..", import.meta.url))
const help = `Bundles programs into services/NAME/dist/main.mjs, and BFD into packages/bfd/dist/main.mjs; quick when nothing changed.

  node scripts/bundle.mjs [NAME...]     all services and bfd unless named
`

/** Programs that are no services: BFD's process is a package, since it knows nothing of Lowtide. */
const packaged = ["bfd"]

/** Where a program is, from the root. */
const folderOf = (name) => `${packaged.includes(name) ? "packages" : "services"}/${name}`

/**
 * Bundles a program when one of the files it was made of has changed since. Answers the bundle and whether it was made
 * anew; undefined when it has no src/main.ts. Fails when a source does not compile. Native libraries stay outside.
 */
export const bundle = async (name, { root = projectRoot } = {}) => {
  const folder = join(root, folderOf(name))
  const entry = join(folder, "src/main.ts")
  if (stampOf(entry) === undefined) return undefined
  const file = join(folder, "dist/main.mjs")
  const recordFile = join(folder, "dist/inputs.json")
  if (stampOf(file) !== undefined && isCurrent(root, recordFile)) return { file, built: false }
  const { build, transform } = await import("esbuild")
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node24",
    external: ["koffi", "pg-native"],
    sourcemap: "linked",
    legalComments: "none",
    plugins: [withoutFetch],
    banner: {
      js: 'import{createRequire as bundleRequire}from"node:module";const require=bundleRequire(import.meta.url);'
    },
    logLevel: "silent"
  })
  const texts = new Map(outputFiles.map(({ path, text }) => [path, text]))
  texts.set(file, await inAscii(texts.get(file), transform))
  mkdirSync(join(folder, "dist"), { recursive: true })
  for (const [path, text] of texts) writeWhole(path, text)
  const inputs = ["package-lock.json", relative(root, fileURLToPath(import.meta.url)), ...Object.keys(metafile.inputs)]
  writeWhole(recordFile, JSON.stringify(inputs.map((input) => [input, stampOf(resolve(root, input)) ?? null])))
  return { file, built: true }
}

/** The bundle of a program that is to be there; fails where it has no src/main.ts. */
export const bundled = async (name, options) => {
  const built = await bundle(name, options)
  if (built === undefined) throw new Error(`expected ${folderOf(name)}/src/main.ts, found no such file`)
  return built.file
}

/**
 * An import of node:http makes Node load its fetch, WebSocket and all, since a module's every name is looked up: 15 MiB at the start of
 * a process and a third of its time. As an object of which names are taken it does not.
 */
const withoutFetch = {
  name: "without-fetch",
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^(node:)?http$/ }, () => ({ path: "node:http", namespace: "builtin" }))
    onLoad({ filter: /.*/, namespace: "builtin" }, () => ({
      contents: 'module.exports = process.getBuiltinModule("node:http")'
    }))
  }
}

/**
 * The same program: V8 keeps its text, and all of it in two octets a character where a single one is beyond ASCII. Raw texts stay.
 * Fails where it would say something else: strings esbuild has written so already, which leaves regular expressions and templates.
 */
const inAscii = async (text, transform) => {
  const escaped = /\\[^\0-\x7f]/.exec(text)
  if (escaped !== null) throw new Error(`expected no backslash before a character beyond ASCII, found ${escaped[0]}`)
  const ascii = withNumbers(text)
  // With its templates written as strings, what they say raw is seen.
  const asStrings = async (program) =>
    (await transform(program, { target: "node24", supported: { "template-literal": false } })).code
  const [was, is] = await Promise.all([asStrings(text), asStrings(ascii)])
  if (withNumbers(was) !== withNumbers(is))
    throw new Error("expected no tag that reads a raw text beyond ASCII, but String.raw")
  return ascii
}

/** Each character beyond ASCII by its number, but in what String.raw reads. */
const withNumbers = (text) =>
  text.replace(
    /(String\.raw`[^`]*`)|[^\0-\x7f]/g,
    (found, raw) => raw ?? `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

/** Whether the files that a bundle was made of have the dates and sizes they had then. */
const isCurrent = (root, recordFile) => {
  try {
    const inputs = JSON.parse(readFileSync(recordFile, "utf8"))
    return inputs.every(([input, stamp]) => (stampOf(resolve(root, input)) ?? null) === stamp)
  } catch {
    return false
  }
}

const stampOf = (file) => {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats === undefined ? undefined : `${stats.mtimeMs} ${stats.size}`
}

/** Another process may be starting from the file: it sees the old one or the new one. */
const writeWhole = (file, contents) => {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, contents)
  renameSync(draft, file)
}

const main = async (args) => {
  if (args.includes("--help")) return process.stdout.write(help)
  const names = args.length > 0 ? args : [...readdirSync(join(projectRoot, "services")), ...packaged]
  for (const name of names) {
    const result = await bundle(name).catch((error) => error)
    if (result instanceof Error) {
      process.stderr.write(`${folderOf(name)}: ${result.message}\n`)
      process.exitCode = 1
    } else {
      const outcome = result === undefined ? "has no src/main.ts" : result.built ? "bundled" : "is up to date"
      process.stderr.write(`${folderOf(name)} ${outcome}\n`)
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
