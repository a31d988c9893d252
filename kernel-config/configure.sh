#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Answers every question of Kconfig: "no", except for what the fragments say.
# Reads /build/allconfig; leaves /build/config and /build/symbols.tsv: each option that this source knows for the
# architecture, its definition's place and what it depends on, for error messages.
set -euo pipefail
source=/build/source
mkdir -p out
make -s -C "$source" O=/build/out ARCH="$KERNEL_ARCH" KCONFIG_ALLCONFIG=/build/allconfig allnoconfig
cp out/.config config

cd "$source"
find . -name 'Kconfig*' -type f -not -path './arch/*' -print0 |
  sort -z | { cat; find "arch/$KERNEL_ARCH" arch/Kconfig -name 'Kconfig*' -type f -print0 | sort -z; } |
  xargs -0 awk '
    function enclosing(   i, all) {
      for (i = 1; i <= depth; i++) all = all (all == "" ? "" : " && ") "(" block[i] ")"
      return all
    }
    function flush() { if (symbol != "") print symbol "\t" place "\t" needs; symbol = "" }
    FNR == 1 { flush(); depth = 0 }
    /^if[ \t(]/ { flush(); sub(/^if[ \t]*/, ""); block[++depth] = $0 }
    /^endif/ { flush(); if (depth > 0) depth-- }
    /^[ \t]*(menu)?config[ \t]+[A-Za-z0-9_]+/ { flush(); symbol = $2; place = FILENAME ":" FNR; needs = enclosing() }
    /^[ \t]*depends on / { sub(/^[ \t]*depends on /, ""); needs = needs (needs == "" ? "" : " && ") "(" $0 ")" }
    END { flush() }' >/build/symbols.tsv
