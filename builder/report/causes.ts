// SPDX-License-Identifier: Apache-2.0
// What led to an error, and what a thrown thing that is no error looks like.
import { inspect } from "node:util";
import { errorMessage } from "./plain-text.ts";

/** A chain of causes can be endless: an error may be its own cause. */
const MAX_CAUSES = 5;

/** Messages of the chain that begins with `cause`, outermost first, clean, at most five. */
export function listCauses(cause: unknown): readonly string[] {
  const messages: string[] = [];
  let at = cause;
  while (at !== undefined && at !== null && messages.length < MAX_CAUSES) {
    messages.push(errorMessage(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return messages;
}

/** Stack of an error with its message in front, or a description of anything else that was thrown. Not clean. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : `thrown: ${inspect(error)}`;
}
