import { type CodeEntry, codes } from "./codes.ts"

/** Headings of the groups of codes, by the two digits that follow `LT`. */
const groups: Readonly<Record<string, string>> = {
  "01": "LT01: configuration",
  "02": "LT02: giving out addresses",
  "03": "LT03: BGP sessions",
  "04": "LT04: intents at a speaker",
  "05": "LT05: the control plane",
  "06": "LT06: people's orders"
}

/** The page docs/reference/codes.md, whole. */
export const formatCodesPage = (): string => {
  const sections = Object.entries(groups).map(([digits, title]) => {
    const entries = Object.entries(codes).filter(([code]) => code.startsWith(`LT${digits}`))
    return `## ${title}\n\n${entries.map(([code, entry]) => formatEntry(code, entry)).join("\n")}`
  })
  return `${intro}\n${sections.join("\n")}`
}

const intro = `# Codes

Generated from \`packages/domain/src/config/codes.ts\` by \`scripts/codes-md.ts\`; edit there.

Every finding and every refusal carries one of these codes, the object, the field, what was expected, what was found and
what to do. A code keeps its meaning for good. An *error* means that the object, or the part that the finding names, has
no effect, or that something does not work; a *warning* means that it works, though perhaps not as meant.
`

const formatEntry = (code: string, { severity, title, cause, fix }: CodeEntry): string =>
  `### ${code}: ${title}\n\n*${severity}.* ${cause}\n\n**Fix:** ${fix}.\n`
