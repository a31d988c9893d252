#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Compiles the kernel image, or the modules, from /build/config. kbuild's own dependency tracking in /build/out keeps
# what did not change since the last run; /build/out is a cache that may be empty or come from an interrupted run.
# Usage: build.sh image | build.sh modules
set -euo pipefail
what=$1
source=/build/source
out=/build/out
started=$out/.dodeka-started

# A run that was killed leaves objects that make takes for finished when an older run had left their .cmd file. Those
# that are younger than the killed run's start and have no .cmd file of that run are made again. After a crash of the
# machine nothing is trusted.
if [ -e "$started" ]; then
  if [ "$(cat "$started")" = "$(cat /proc/sys/kernel/random/boot_id)" ]; then
    echo "dodeka: going on after an interrupted run"
    find "$out" -type f -name '.*.cmd' ! -newer "$started" -print0 |
      while IFS= read -r -d '' command; do
        name=${command##*/.}
        made=${command%/*}/${name%.cmd}
        if [ "$made" -nt "$started" ]; then rm -f "$command"; fi
      done
  else
    echo "dodeka: starting clean after a crash"
    find "$out" -mindepth 1 -delete
  fi
fi
cat /proc/sys/kernel/random/boot_id >"$started"

cmp -s /build/config "$out/.config" || cp /build/config "$out/.config"
gcc -O2 -shared -fPIC -o /tmp/huge-pages.so "$(dirname "$0")/huge-pages.c"
kbuild() {
  LD_PRELOAD=/tmp/huge-pages.so make -C "$source" O="$out" ARCH="$KERNEL_ARCH" -j"${JOBS:-$(nproc)}" "$@"
}

case $what in
image)
  kbuild bzImage
  cp "$out/arch/x86/boot/bzImage" /build/vmlinuz
  cp "$out/System.map" "$out/modules.builtin" "$out/modules.builtin.modinfo" /build/
  ;;
modules)
  kbuild CFLAGS_MODULE=-g0 modules # what debug information is for, type information, is the image's only
  mkdir -p /build/modules
  while read -r object; do
    mkdir -p "/build/modules/kernel/$(dirname "$object")"
    strip --strip-debug -o "/build/modules/kernel/${object%.o}.ko" "$out/${object%.o}.ko"
  done <"$out/modules.order"
  tar -C /build/modules -cf /build/modules.tar --format=ustar --sort=name --mtime=@0 \
    --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX kernel
  ;;
esac

# The configuration that was compiled is the one that was checked.
cmp /build/config "$out/.config"
cat "$out/include/config/kernel.release" >/build/release
rm -f "$started"
