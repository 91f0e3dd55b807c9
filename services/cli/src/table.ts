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

const paint = (cell: Cell, padded: string, hasColour: boolean): string =>
  hasColour && typeof cell !== "string" ? `\u001b[${escapes[cell.tone]}m${padded}\u001b[0m` : padded

/** Aligned lines, a header first; two blanks between columns and none at the end of a line. */
export const formatTable = <Row>(
  columns: ReadonlyArray<Column<Row>>,
  rows: ReadonlyArray<Row>,
  options: { readonly isWide: boolean; readonly hasColour: boolean }
): string => {
  const shown = columns.filter((column) => options.isWide || column.isWide !== true)
  const lines: ReadonlyArray<ReadonlyArray<Cell>> = [
    shown.map(({ title }) => title),
    ...rows.map((row) => shown.map(({ cell, wideCell = cell }) => (options.isWide ? wideCell(row) : cell(row))))
  ]
  const widths = shown.map((_, index) => Math.max(...lines.map((line) => widthOf(textOf(line[index] ?? "")))))
  return lines
    .map((line) =>
      line
        .map((cell, index) => {
          const text = textOf(cell)
          const isLast = index === line.length - 1
          const padding = isLast ? "" : " ".repeat((widths[index] ?? 0) - widthOf(text))
          return paint(cell, text, options.hasColour) + padding
        })
        .join("  ")
    )
    .join("\n")
}
