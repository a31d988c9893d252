// SPDX-License-Identifier: Apache-2.0
// Reads the fragments that a kernel configuration is made of, and holds the finished configuration against them: what a
// fragment says must be there, once, and must be what the kernel was built with.
// Format: Kconfig .config lines (Documentation/kbuild/kconfig-language.rst of Linux); "n" is written out.
import { FactoryError, FactoryErrors } from "../errors.ts";

/** One `CONFIG_X=value` of a fragment. */
export interface FragmentSetting {
  /** Without CONFIG_. */
  readonly symbol: string;
  /** As written: y, m, n, a number, or a string with its quotes. */
  readonly value: string;
  readonly fragment: string;
  /** 1-based. */
  readonly line: number;
}

/** Where an option is defined and what it depends on, by symbol; from the kernel's own Kconfig files. */
export type KnownSymbols = ReadonlyMap<string, { readonly place: string; readonly needs: string }>;

const SETTING = /^CONFIG_([A-Za-z0-9_]+)=(y|m|n|-?\d+|0x[0-9a-fA-F]+|"[^"]*")$/;

/** Kconfig's own way to say "n" reads like a comment; here it would be taken for one. */
const NOT_SET = /^# CONFIG_\w+ is not set$/;

/**
 * Every setting of every fragment, in order of the fragments' names. Throws RELEASE_INVALID, all problems at once: a
 * line that is no setting, a group without a reason above it, a value that is set twice.
 */
export function readFragments(fragments: ReadonlyMap<string, string>): readonly FragmentSetting[] {
  const problems: FactoryError[] = [];
  const seen = new Map<string, FragmentSetting>();
  for (const [fragment, text] of [...fragments].sort(([a], [b]) => (a < b ? -1 : 1))) {
    let reasoned = false;
    for (const [index, raw] of text.split("\n").entries()) {
      const line = index + 1;
      if (raw === "" || raw.startsWith("# SPDX")) reasoned = false;
      else if (raw.startsWith("# ") && !NOT_SET.test(raw)) reasoned = true;
      else {
        const setting = parseSetting(raw, fragment, line);
        const before = setting === undefined ? undefined : seen.get(setting.symbol);
        if (setting === undefined) problems.push(malformed(raw, fragment, line));
        else if (before !== undefined) problems.push(setTwice(setting, before));
        else if (!reasoned) problems.push(unreasoned(setting));
        if (setting !== undefined && before === undefined) seen.set(setting.symbol, setting);
      }
    }
  }
  if (problems.length > 0) throw new FactoryErrors(problems);
  return [...seen.values()];
}

function parseSetting(raw: string, fragment: string, line: number): FragmentSetting | undefined {
  const [, symbol, value] = SETTING.exec(raw) ?? [];
  return symbol === undefined || value === undefined ? undefined : { symbol, value, fragment, line };
}

/** The answers for `make allnoconfig`: KCONFIG_ALLCONFIG's content. */
export function renderAllConfig(settings: readonly FragmentSetting[]): string {
  return settings.map((s) => `CONFIG_${s.symbol}=${s.value}\n`).join("");
}

/** Symbols that are set to anything but "n", with their values. */
export function parseConfig(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, symbol, value] = /^CONFIG_([A-Za-z0-9_]+)=(.*)$/.exec(line) ?? [];
    if (symbol !== undefined && value !== undefined) values.set(symbol, value);
  }
  return values;
}

/** Reads the table that kernel-config/configure.sh writes: `symbol<TAB>place<TAB>dependencies` a line. */
export function parseSymbols(text: string): KnownSymbols {
  const symbols = new Map<string, { place: string; needs: string }>();
  for (const line of text.split("\n")) {
    const [symbol = "", place = "", needs = ""] = line.split("\t");
    const before = symbols.get(symbol);
    const joined = before === undefined || before.needs === "" ? needs : `${before.needs} || ${needs}`;
    if (symbol !== "") symbols.set(symbol, { place: before?.place ?? place, needs: joined });
  }
  return symbols;
}

/** Throws RELEASE_INVALID for every setting that Kconfig does not know or did not honour, with what it depends on. */
export function checkHonoured(settings: readonly FragmentSetting[], config: string, known: KnownSymbols): void {
  const values = parseConfig(config);
  const problems = settings.flatMap((setting) => {
    const definition = known.get(setting.symbol);
    if (definition === undefined) return [unknown(setting)];
    const found = values.get(setting.symbol) ?? "n";
    return found === setting.value ? [] : [notHonoured(setting, found, definition)];
  });
  if (problems.length > 0) throw new FactoryErrors(problems);
}

function at({ fragment, line, symbol }: FragmentSetting): { file: string; line: number; field: string } {
  return { file: `kernel-config/fragments/${fragment}`, line, field: `CONFIG_${symbol}` };
}

function malformed(raw: string, fragment: string, line: number): FactoryError {
  return new FactoryError({
    code: "RELEASE_INVALID",
    file: `kernel-config/fragments/${fragment}`,
    line,
    field: "fragment",
    found: raw,
    expected: 'CONFIG_NAME=y, m, n, a number or "text"; a comment; or an empty line',
    fix: "write an option that is off as CONFIG_NAME=n",
  });
}

function setTwice(setting: FragmentSetting, before: FragmentSetting): FactoryError {
  return new FactoryError({
    code: "RELEASE_INVALID",
    ...at(setting),
    found: `${setting.value} here, ${before.value} in ${before.fragment}:${before.line}`,
    expected: "one place that decides",
    fix: "remove one of the two lines",
  });
}

function unreasoned(setting: FragmentSetting): FactoryError {
  return new FactoryError({
    code: "RELEASE_INVALID",
    ...at(setting),
    found: "a group without a comment",
    expected: "a reason above each group of options",
    fix: "write a line that starts with # above the group",
  });
}

function unknown(setting: FragmentSetting): FactoryError {
  return new FactoryError({
    code: "RELEASE_INVALID",
    ...at(setting),
    found: setting.value,
    expected: "an option that this kernel has",
    fix: "correct the name, or remove the line",
  });
}

function notHonoured(
  setting: FragmentSetting,
  found: string,
  definition: { place: string; needs: string },
): FactoryError {
  return new FactoryError({
    code: "RELEASE_INVALID",
    ...at(setting),
    found: `${found} in the finished configuration`,
    expected: setting.value,
    fix: `switch on what it depends on: ${definition.needs || "another option selects it, or nothing does"} (${definition.place})`,
  });
}
