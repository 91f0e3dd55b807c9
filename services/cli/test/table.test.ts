import { describe, expect, it } from "vitest"
import { type Cell, type Column, formatTable } from "../src/table.ts"

interface Row {
  readonly seq: string
  readonly what: Cell
}

const columns: ReadonlyArray<Column<Row>> = [
  { title: "SEQ", cell: ({ seq }) => seq },
  { title: "WHAT", cell: ({ what }) => what }
]

const sentence = "192.0.2.7 was released by shop/hello; east-1 is to confirm its withdrawal"

const shown = (what: Cell, screenColumns?: number, hasColour = false): ReadonlyArray<string> =>
  formatTable(columns, [{ seq: "188", what }], { isWide: false, hasColour, screenColumns }).split("\n")

describe("a table on a screen", () => {
  it("goes on below itself in its last column, between words, where it is wider", () => {
    expect(shown(sentence, 40)).toEqual([
      "SEQ  WHAT",
      "188  192.0.2.7 was released by",
      "     shop/hello; east-1 is to confirm",
      "     its withdrawal"
    ])
    for (const line of shown(sentence, 40)) expect(line.length).toBeLessThanOrEqual(40)
  })

  it("has long lines where they fit, where no terminal shows it, and where little room is left", () => {
    for (const screenColumns of [undefined, 80, 20]) {
      expect(shown(sentence, screenColumns), String(screenColumns)).toEqual(["SEQ  WHAT", `188  ${sentence}`])
    }
  })

  it("leaves a word whole that is longer than the room", () => {
    const name = "a".repeat(40)
    expect(shown(`of ${name} alone`, 34).slice(1)).toEqual(["188  of", `     ${name}`, "     alone"])
  })

  it("colours each line by itself, and an empty cell not at all", () => {
    const bad = (text: string): Cell => ({ text, tone: "bad" })
    expect(shown(bad("is to confirm its withdrawal"), 31, true).slice(1)).toEqual([
      "188  \u001b[31mis to confirm its\u001b[0m",
      "     \u001b[31mwithdrawal\u001b[0m"
    ])
    expect(shown(bad(""), 40, true)[1]).toBe("188  -")
  })
})
