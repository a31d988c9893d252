// SPDX-License-Identifier: Apache-2.0
// An ELF file with nothing but a section .go.buildinfo, as Go's linker writes it, or with any other section.
export const MODULE_TEXT: string = [
  "path\texample.org/os/init",
  "mod\texample.org/os\t(devel)\t",
  "dep\tgithub.com/Some/lib\tv1.2.3\th1:aaaa=",
  "dep\tgolang.org/x/sys\tv0.1.0\th1:bbbb=",
  "=>\texample.org/fork/sys\tv0.1.1\th1:cccc=",
  "build\t-buildmode=exe",
  'build\t-ldflags="-s -w"',
  "build\tCGO_ENABLED=0",
  "",
].join("\n");

/** The section's content. */
export function buildInfoSection(goVersion = "go1.27.4", text: string = MODULE_TEXT): Buffer {
  const header = Buffer.alloc(32);
  header.write("\xff Go buildinf:", "latin1");
  header[14] = 8;
  header[15] = 2;
  const mark = Buffer.alloc(16, 0x30);
  const framed = Buffer.concat([mark, Buffer.from(text), mark]);
  return Buffer.concat([header, varint(goVersion.length), Buffer.from(goVersion), varint(framed.length), framed]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}

/** A 64-bit little-endian ELF file with one named section and the table of names. */
export function elfWith(name: string, content: Buffer): Buffer {
  const names = Buffer.from(`\0${name}\0.shstrtab\0`);
  const table = 64 + content.length + names.length;
  const file = Buffer.alloc(table + 3 * 64);
  file.write("\x7fELF\x02\x01\x01", "latin1");
  file.writeBigUInt64LE(BigInt(table), 40); // e_shoff
  file.writeUInt16LE(64, 58); //               e_shentsize
  file.writeUInt16LE(3, 60); //                e_shnum
  file.writeUInt16LE(2, 62); //                e_shstrndx
  content.copy(file, 64);
  names.copy(file, 64 + content.length);
  const section = (i: number, nameAt: number, offset: number, size: number): void => {
    file.writeUInt32LE(nameAt, table + i * 64);
    file.writeUInt32LE(1, table + i * 64 + 4); // SHT_PROGBITS
    file.writeBigUInt64LE(BigInt(offset), table + i * 64 + 24);
    file.writeBigUInt64LE(BigInt(size), table + i * 64 + 32);
  };
  section(1, 1, 64, content.length);
  section(2, 2 + name.length, 64 + content.length, names.length);
  return file;
}
