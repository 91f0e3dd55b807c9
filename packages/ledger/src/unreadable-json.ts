/**
 * Logs of before hold a few texts with U+0000 or with half of a surrogate pair, which nobody can store any more (LT0507).
 * PostgreSQL keeps them as JSON and fails whoever takes that JSON apart. These write SQL that does so all the same: with the
 * backslash of such an escape replaced by U+FFFF, which is no character and in no text, and put back at the end, so that what
 * is taken out is what is stored, octet for octet. Looking for an escape first costs next to nothing, and hardly any row has one.
 */
const mark = "\uffff"

const code = "(0000|[dD][89a-fA-F][0-9a-fA-F]{2})"

/** JSON that PostgreSQL can take apart, of a column that has it. */
export const readableJson = (column: string): string =>
  String.raw`(case when position('\u' in ${column}::text) = 0 then ${column} else
    regexp_replace(${column}::text, '(?<!\\)((?:\\\\)*)\\u${code}', '\1${mark}\2', 'g')::json end)`

/** A text of readable JSON as it is stored. */
export const asStored = (text: string): string => String.raw`regexp_replace(${text}, '${mark}${code}', '\\u\1', 'g')`

/** The state after an event, as it is stored, of the column that has the event's data. */
export const stateAfter = (column: string): string =>
  String.raw`(case when position('\u' in ${column}::text) = 0 then ${column} -> 'after' else
    ${asStored(`(${readableJson(column)} -> 'after')::text`)}::json end)`
