// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDebianCopyright } from "../../sbom/dep5.ts";
import { licenceRef, recogniseLicenceText, spdxFromDebian, spdxFromKernelModule } from "../../sbom/licence-names.ts";

const FORMAT = "Format: https://example.org/copyright-format/1.0/";

test("a machine-readable file gives licences, notices and unknown texts", () => {
  const text = [
    FORMAT,
    "",
    "Files: *",
    "Copyright: 2001 Ann Author",
    "           2002 Bob Builder",
    "License: GPL-2+",
    "",
    "Files: data/*",
    "Copyright: 2001 Ann Author",
    "License: GPL-2 or Odd",
    "",
    "License: GPL-2+",
    " See /usr/share/common-licenses/GPL-2.",
    "",
    "License: Odd",
    " Do as you like.",
    " .",
    " But smile.",
  ].join("\n");
  assert.deepEqual(parseDebianCopyright("tool", text), {
    expression: "(GPL-2.0-only OR LicenseRef-debian-tool-Odd) AND GPL-2.0-or-later",
    copyrights: ["2001 Ann Author", "2002 Bob Builder"],
    texts: { "LicenseRef-debian-tool-Odd": "Do as you like.\n\nBut smile." },
  });
});

test("a licence with a name of its own and a known text is the known one", () => {
  const bsd =
    " Redistributions of source code must retain. Redistributions in binary form must reproduce.\n Neither the name of X may be used to endorse or promote.";
  const { expression, texts } = parseDebianCopyright(
    "go",
    `${FORMAT}\n\nFiles: *\nCopyright: X\nLicense: Go\n${bsd}\n`,
  );
  assert.deepEqual([expression, texts], ["BSD-3-Clause", {}]);
});

test("a file in free form is one reference with its whole text", () => {
  const facts = parseDebianCopyright("old", "This is old.\nCopyright (C) 1999 Someone\n");
  assert.equal(facts.expression, "LicenseRef-debian-old");
  assert.deepEqual(facts.copyrights, ["Copyright (C) 1999 Someone"]);
  assert.equal(facts.texts["LicenseRef-debian-old"], "This is old.\nCopyright (C) 1999 Someone");
});

test("a file without licences asserts nothing", () => {
  assert.equal(parseDebianCopyright("none", `${FORMAT}\n\nFiles: *\nCopyright: X\n`).expression, "NOASSERTION");
});

const names: readonly (readonly [debian: string, spdx: string])[] = [
  ["GPL-2", "GPL-2.0-only"],
  ["GPL-3+", "GPL-3.0-or-later"],
  ["LGPL-2.1+", "LGPL-2.1-or-later"],
  ["AGPL-3", "AGPL-3.0-only"],
  ["GPL-9", "?GPL-9"],
  ["Expat", "MIT"],
  ["GPL-2 with Linux-syscall-note exception", "GPL-2.0-only WITH Linux-syscall-note"],
  ["Expat or GPL-2", "MIT OR GPL-2.0-only"],
  ["Expat and BSD-3-clause, or GPL-2", "(MIT AND BSD-3-Clause) OR GPL-2.0-only"],
  ["GPL-2+-or-X11", "?GPL-2+-or-X11"],
];

for (const [debian, spdx] of names) {
  test(`Debian's ${debian} is ${spdx}`, () => {
    assert.equal(
      spdxFromDebian(debian, (short) => `?${short}`),
      spdx,
    );
  });
}

const claims: readonly (readonly [claim: string, spdx: string])[] = [
  ["GPL", "GPL-2.0-only"],
  ["Dual MIT/GPL", "GPL-2.0-only OR MIT"],
  ["Dual BSD/GPL", "GPL-2.0-only OR ?BSD"],
  ["Proprietary", "?Proprietary"],
];

for (const [claim, spdx] of claims) {
  test(`a module that claims "${claim}" has ${spdx}`, () => {
    assert.equal(
      spdxFromKernelModule(claim, (name) => `?${name}`),
      spdx,
    );
  });
}

test("texts are recognised by all of their phrases, never by one", () => {
  const mit =
    "Permission is hereby granted, free of charge, to any person ... The above copyright notice and this permission notice shall";
  assert.equal(recogniseLicenceText(mit), "MIT");
  assert.equal(recogniseLicenceText("Permission is hereby granted, free of charge"), undefined);
  assert.equal(recogniseLicenceText("All rights reserved."), undefined);
});

test("a licence reference has only letters, digits, dots and hyphens", () => {
  assert.match(licenceRef("go-github.com/A/b@v1+x ü"), /^LicenseRef-[A-Za-z0-9.-]+$/);
});
