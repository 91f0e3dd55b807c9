/** How a cell looks where colours are shown. */
export type Tone = "good" | "warning" | "bad" | "faint"

/** One cell; a bare text has no tone. An empty text is shown as `-`. */
export type Cell = string | { readonly text: string; readonly tone: Tone }

/** A column: its title, and the cell of a row. `isWide` ones are left out of the narrow table; `wideCell` says more in the wide one. */
export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => Cell
  readonly wideCell?: (row: Row) => Cell
  readonly isWide?: boolean
}

const escapes: { readonly [Key in Tone]: string } = { good: "32", warning: "33", bad: "31", faint: "2" }

const textOf = (cell: Cell): string => (typeof cell === "string" ? cell : cell.text) || "-"

/** How many columns of a terminal a text of letters, digits and signs takes. */
const widthOf = (text: string): number => [...text].length

/** What says nothing is not coloured: a yellow `-` would look like something to see to. */
const paint = (cell: Cell, text: string, hasColour: boolean): string =>
  hasColour && typeof cell !== "string" && cell.text !== "" ? `\u001b[${escapes[cell.tone]}m${text}\u001b[0m` : text

/** The least room in which the last column is broken into lines; in less its lines would be of a word or two. */
const brokenColumnsMin = 24

/** A text in lines of at most so many columns, broken between words; a longer word has a line of its own. */
const brokenLines = (text: string, columnsMax: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= columnsMax)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** How a table is shown. */
export interface TableOptions {
  readonly isWide: boolean
  readonly hasColour: boolean
  /** Columns of the terminal that shows it; undefined where none does, and lines are as long as they are. */
  readonly screenColumns: number | undefined
}

/**
 * Aligned lines, a header first; two blanks between columns and none at the end of a line. On a terminal that is too narrow the
 * last column, where the sentences are, goes on below itself.
 */
export const formatTable = <Row>(
  columns: ReadonlyArray<Column<Row>>,
  rows: ReadonlyArray<Row>,
  { isWide, hasColour, screenColumns }: TableOptions
): string => {
  const shown = columns.filter((column) => isWide || column.isWide !== true)
  const lines: ReadonlyArray<ReadonlyArray<Cell>> = [
    shown.map(({ title }) => title),
    ...rows.map((row) => shown.map(({ cell, wideCell = cell }) => (isWide ? wideCell(row) : cell(row))))
  ]
  const widths = shown.map((_, index) => Math.max(...lines.map((line) => widthOf(textOf(line[index] ?? "")))))
  const indent = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0)
  const room = screenColumns === undefined ? Number.POSITIVE_INFINITY : screenColumns - indent
  const lastLines = (cell: Cell): string =>
    (room < brokenColumnsMin ? [textOf(cell)] : brokenLines(textOf(cell), room))
      .map((text) => paint(cell, text, hasColour))
      .join(`\n${" ".repeat(indent)}`)
  return lines
    .map((line) =>
      line
        .map((cell, index) => {
          if (index === line.length - 1) return lastLines(cell)
          const text = textOf(cell)
          return paint(cell, text, hasColour) + " ".repeat((widths[index] ?? 0) - widthOf(text))
        })
        .join("  ")
    )
    .join("\n")
}
