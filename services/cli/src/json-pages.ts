import { Effect } from "effect"
import { indentedJson } from "./json-text.ts"
import { Surroundings } from "./surroundings.ts"

/**
 * Prints an answer that comes in pages as the one JSON object that it would be without them, with all items and no `next`;
 * of the items only those of one page are ever held.
 */
export const printJsonPages = Effect.fnUntraced(function* <
  Page extends { readonly items: ReadonlyArray<unknown>; readonly next: string | null },
  E,
  R
>(first: Page, pageAfter: (next: string) => Effect.Effect<Page, E, R>, onPage: (page: Page) => void) {
  const { write } = yield* Surroundings
  const put = (text: string) => Effect.promise(() => write(Buffer.from(text)))
  const [opening = "", closing = ""] = JSON.stringify({ ...first, items: [itemsHere], next: null }, null, 2).split(
    `    ${JSON.stringify(itemsHere)}`
  )
  let separator = opening
  for (let page: Page | undefined = first; page !== undefined; ) {
    onPage(page)
    if (page.items.length > 0) {
      yield* put(separator + page.items.map((item) => `    ${indentedJson(item, "    ")}`).join(",\n"))
      separator = ",\n"
    }
    page = page.next === null ? undefined : yield* pageAfter(page.next)
  }
  yield* put(separator === opening ? `${JSON.stringify({ ...first, next: null }, null, 2)}\n` : `${closing}\n`)
})

/** No answer has this text. */
const itemsHere = "\u0000items"
