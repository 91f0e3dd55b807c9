import { Effect } from "effect"
import type pg from "pg"
import { ask } from "./database.ts"
import type { NewSignature, SignedText } from "./ledger.ts"

/** Who signed what is in effect may change; what it says may not. */
export const makeSignatures = (pool: pg.Pool) => ({
  subjectsSignedBy: Effect.fn("Ledger.subjectsSignedBy")(
    (
      keyIds: ReadonlyArray<string>,
      { cluster, sinceCseq, limit }: { readonly cluster: string; readonly sinceCseq: number; readonly limit: number }
    ) =>
      ask("subjectsSignedBy", () =>
        pool.query<Pick<SignedText, "subject" | "cseq">>(subjectsStatement, [cluster, sinceCseq, [...keyIds], limit])
      ).pipe(Effect.map(({ rows }) => rows))
  ),
  signedTexts: Effect.fn("Ledger.signedTexts")((cluster: string, subjects: ReadonlyArray<string>) =>
    ask("signedTexts", () => pool.query<SignedText>(textsStatement, [cluster, [...subjects]])).pipe(
      Effect.map(({ rows }) => rows)
    )
  ),
  signAnew: Effect.fn("Ledger.signAnew")((epoch: number, signatures: ReadonlyArray<NewSignature>) =>
    ask("signAnew", () =>
      pool.query<{ leads: boolean }>(signStatement, [
        epoch,
        signatures.map(({ cluster }) => cluster),
        signatures.map(({ subject }) => subject),
        signatures.map(({ former }) => former),
        signatures.map(({ envelope }) => envelope)
      ])
    ).pipe(Effect.map(({ rows: [row] }) => row?.leads === true))
  )
})

/** An envelope ends with the key's id and the signature. */
const subjectsStatement = `
  select subject, cseq::float8 as cseq from intent
  where cluster = $1 and cseq > $2
    and substring(right(envelope, 300) from '"keyId":"([^"]*)","sig":"[^"]*"}$') = any ($3)
  order by intent.cseq limit $4`

const textsStatement = `
  select cluster, subject, cseq::float8 as cseq, envelope from intent
  where cluster = $1 and subject = any ($2::text[])
  order by cseq`

/**
 * What another leader, or a batch, has put in the text's place stays. A head has no subject. The log's head first, as a batch has
 * it, so that neither waits for the other.
 */
const signStatement = `
  with leader as (
    select from log_head where epoch = $1 for share
  ), signed as (
    select * from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as s (cluster, subject, former, envelope)
    where exists (select from leader)
  ), heads as (
    update intent_head as h set envelope = s.envelope from signed as s
    where s.subject is null and h.cluster = s.cluster and h.envelope = s.former
  ), intents as (
    update intent as i set envelope = s.envelope from signed as s
    where i.cluster = s.cluster and i.subject = s.subject and i.envelope = s.former
  )
  select exists (select from leader) as leads`
