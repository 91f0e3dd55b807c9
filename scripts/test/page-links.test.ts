/** Links between the pages: each leads to a file, or a heading, that is there. */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { describe, expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")
const pages = globSync(["*.md", "docs/**/*.md", "{packages,services}/*/README.md", "deploy/**/*.md"], {
  cwd: root,
  exclude: (path) => path.includes("node_modules")
})

const read = (page: string): string => readFileSync(join(root, page), "utf8")

/** As GitHub names headings. */
const anchors = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .trim()
      .replaceAll(" ", "-")
  )

/** The links of a page that lead nowhere. */
const dead = (page: string, text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
    if (/^[a-z]+:/.test(link)) return []
    const [path = "", anchor] = link.split("#")
    const target = path === "" ? page : normalize(join(dirname(page), path))
    if (!existsSync(join(root, target))) return [`${page}: ${link}`]
    if (anchor === undefined || !target.endsWith(".md")) return []
    return anchors(target === page ? text : read(target)).includes(anchor) ? [] : [`${page}: ${link}`]
  })

describe("the links of the pages", () => {
  it("lead to what is there", () => {
    expect(pages.length).toBeGreaterThan(50)
    expect(pages.flatMap((page) => dead(page, read(page)))).toEqual([])
  })

  it("are told where they do not", () => {
    const text =
      "# A `b|c` heading\n[a](#a-bc-heading) [b](#nowhere) [c](docs/none.md) [d](docs/rfcs.md) [e](https://example.com)\n"
    expect(dead("README.md", text)).toEqual(["README.md: #nowhere", "README.md: docs/none.md"])
  })
})
