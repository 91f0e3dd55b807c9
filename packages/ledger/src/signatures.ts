import { Effect } from "effect"
import type pg from "pg"
import { ask } from "./database.ts"
import type { NewSignature, SignedText } from "./ledger.ts"

/** Who signed what is in effect may change; what it says may not. */
export const makeSignatures = (pool: pg.Pool) => ({
  intentsSignedBy: Effect.fn("Ledger.intentsSignedBy")(
    (
      keyIds: ReadonlyArray<string>,
      { cluster, sinceCseq, limit }: { readonly cluster: string; readonly sinceCseq: number; readonly limit: number }
    ) =>
      ask("intentsSignedBy", () =>
        pool.query<SignedText>(signedStatement, [cluster, sinceCseq, [...keyIds], limit])
      ).pipe(Effect.map(({ rows }) => rows))
  ),
  signAnew: Effect.fn("Ledger.signAnew")((epoch: number, signatures: ReadonlyArray<NewSignature>) =>
    Effect.asVoid(
      ask("signAnew", () =>
        pool.query(signStatement, [
          epoch,
          signatures.map(({ cluster }) => cluster),
          signatures.map(({ subject }) => subject),
          signatures.map(({ former }) => former),
          signatures.map(({ envelope }) => envelope)
        ])
      )
    )
  )
})

/** An envelope ends with the key's id and the signature. */
const signedStatement = `
  select cluster, subject, cseq::float8 as cseq, envelope from intent
  where cluster = $1 and cseq > $2
    and substring(right(envelope, 300) from '"keyId":"([^"]*)","sig":"[^"]*"}$') = any ($3)
  order by cseq limit $4`

/** What another leader, or a batch, has put in the text's place stays. A head has no subject. */
const signStatement = `
  with signed as (
    select * from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as s (cluster, subject, former, envelope)
    where exists (select from log_head where epoch = $1)
  ), heads as (
    update intent_head as h set envelope = s.envelope from signed as s
    where s.subject is null and h.cluster = s.cluster and h.envelope = s.former
  )
  update intent as i set envelope = s.envelope from signed as s
  where i.cluster = s.cluster and i.subject = s.subject and i.envelope = s.former`
