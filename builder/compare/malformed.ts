// SPDX-License-Identifier: Apache-2.0
// Tells a decoder's refusal, which comparing reports and survives, from every other error.
import { FactoryError } from "../errors.ts";

export function isMalformed(error: unknown): error is FactoryError {
  return error instanceof FactoryError && error.code === "FORMAT_INVALID";
}
