// SPDX-License-Identifier: Apache-2.0
// Seconds since 1970 as a calendar date and time in UTC, for formats that store the fields apart (FAT, ISO 9660), and
// back, for dates in texts.
// Proleptic Gregorian calendar without leap seconds, counted in eras of 400 years that start on 1 March.
import { FactoryError } from "../errors.ts";

const DAY_SECONDS = 86_400;
const ERA_DAYS = 146_097; // 400 Gregorian years
const EPOCH_FROM_ERA_START = 719_468; // days from 0000-03-01 to 1970-01-01

/** `month` and `day` count from 1, the rest from 0. */
export interface CivilTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** Years, both inclusive, that a format can store; `format` names it in errors. */
export interface YearRange {
  readonly format: string;
  readonly first: number;
  readonly last: number;
}

/** Splits `epochSeconds` (whole, UTC). Throws LAYOUT_OVERFLOW outside `range`: a clamped date would be a wrong one. */
export function civilTime(epochSeconds: number, range: YearRange): CivilTime {
  if (!Number.isSafeInteger(epochSeconds)) throw unfit(epochSeconds, range);
  const days = Math.floor(epochSeconds / DAY_SECONDS);
  const rest = epochSeconds - days * DAY_SECONDS;
  const date = civilDate(days);
  if (date.year < range.first || date.year > range.last) throw unfit(epochSeconds, range);
  return { ...date, hour: Math.floor(rest / 3600), minute: Math.floor(rest / 60) % 60, second: rest % 60 };
}

/**
 * Whole seconds since 1970 of a date and time in UTC; undefined when the calendar has no such time (30 February, 24:00,
 * a leap second) or a field is not a whole number.
 */
export function epochFromCivil({ year, month, day, hour, minute, second }: CivilTime): number | undefined {
  const fromMarch = month <= 2 ? month + 9 : month - 3;
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * fromMarch + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  const days = era * ERA_DAYS + dayOfEra - EPOCH_FROM_ERA_START;
  const rest = (hour * 60 + minute) * 60 + second;
  if (!Number.isSafeInteger(days * DAY_SECONDS + rest) || rest < 0 || rest >= DAY_SECONDS) return undefined;
  const date = civilDate(days);
  const isSame = date.year === year && date.month === month && date.day === day;
  return isSame && minute < 60 && second < 60 ? days * DAY_SECONDS + rest : undefined;
}

function civilDate(days: number): Pick<CivilTime, "year" | "month" | "day"> {
  const shifted = days + EPOCH_FROM_ERA_START;
  const era = Math.floor(shifted / ERA_DAYS);
  const dayOfEra = shifted - era * ERA_DAYS;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day };
}

function unfit(epochSeconds: number, range: YearRange): FactoryError {
  return new FactoryError({
    code: "LAYOUT_OVERFLOW",
    field: `${range.format} epochSeconds`,
    found: epochSeconds,
    expected: `whole seconds since 1970 within the years ${range.first} to ${range.last}`,
    fix: "choose another epoch",
  });
}
