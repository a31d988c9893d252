// SPDX-License-Identifier: Apache-2.0
// Tells users which kernel a release has; two flavours can lie in one store.
import type { Release } from "../release/manifest.ts";

/** What users must know about the kernel that their images carry. */
export function describeKernel({ kernel }: Release): string {
  switch (kernel.flavour) {
    case "stock":
      return `kernel: Debian's stock ${kernel.release}; \`dodeka release build\` compiles the hardened one of releases`;
    case "source":
      return `kernel: our own ${kernel.release} from ${kernel.source ?? "source"}`;
    default:
      return kernel.flavour satisfies never;
  }
}
