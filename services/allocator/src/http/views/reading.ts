import type { Reading } from "@lowtide/api/reading"
import type { CommittedView } from "../../centre.ts"

/** How much of the log a view knows. */
export const readingOf = ({ head }: CommittedView): Reading => ({ position: head.seq, asOf: head.recordedAt })

/** Text order that does not depend on the machine's language. */
export const byText =
  <Item>(textOf: (item: Item) => string) =>
  (left: Item, right: Item): number => {
    const [a, b] = [textOf(left), textOf(right)]
    return a < b ? -1 : a > b ? 1 : 0
  }
