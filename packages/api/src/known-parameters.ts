import { HttpApiMiddleware } from "effect/http-api"
import { InvalidQueryProblem } from "./problems.ts"

/**
 * A parameter that an operation does not have is refused: passed over, a misspelt filter would answer for everything, and
 * export it.
 */
export class KnownParameters extends HttpApiMiddleware.Service<KnownParameters>()("@lowtide/api/KnownParameters", {
  error: InvalidQueryProblem
}) {}
