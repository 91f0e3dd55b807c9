import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"

const typeOf = (name: string) => `https://lowtide.dev/problems/${name}` as const

/** 404: the thing asked about is not known. */
export class NotFoundProblem extends HttpApiError.Problem<NotFoundProblem>()("NotFoundProblem", {
  type: typeOf("not-found"),
  status: 404,
  title: "Not Found"
}) {}

/** 400: the name fits several things; `candidates` are their full names. */
export class AmbiguousProblem extends HttpApiError.Problem<AmbiguousProblem>()(
  "AmbiguousProblem",
  { type: typeOf("ambiguous"), status: 400, title: "Ambiguous Name" },
  { candidates: Schema.Array(Schema.String) }
) {}

/** 400: parameters that are valid each, and do not go together. `field` names the first of them. */
export class InvalidQueryProblem extends HttpApiError.Problem<InvalidQueryProblem>()(
  "InvalidQueryProblem",
  { type: typeOf("invalid-query"), status: 400, title: "Invalid Query" },
  { field: Schema.String }
) {}

/** 503: something that the answer needs does not answer; asking again later helps. */
export class UnavailableProblem extends HttpApiError.Problem<UnavailableProblem>()(
  "UnavailableProblem",
  { type: typeOf("unavailable"), status: 503, title: "Service Unavailable" },
  { code: Schema.String.annotate({ description: "Finding code, docs/reference/codes.md" }) }
) {}

/** 503: this allocator is not the one to ask now. */
export class NotReadyProblem extends HttpApiError.Problem<NotReadyProblem>()(
  "NotReadyProblem",
  { type: typeOf("not-ready"), status: 503, title: "Not Ready" },
  { reasons: Schema.Array(Schema.String) }
) {}
