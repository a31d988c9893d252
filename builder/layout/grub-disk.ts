// SPDX-License-Identifier: Apache-2.0
// Ties GRUB's boot sectors to where the rest of GRUB lies, as grub-bios-setup --no-rs-codes and xorriso --grub2-mbr do.
// Spec: GRUB 2.12 include/grub/i386/pc/boot.h, util/setup.c; boot_hybrid.img by GRUB's boot/i386/pc/cdboot and libisofs.
// Left out: Reed-Solomon codes (the image is verified as a whole), more than one block list (core is contiguous).
import { FactoryError } from "../errors.ts";
import { putFields, viewOf } from "./bytes.ts";
import { MBR_BOOT_CODE_BYTES } from "./mbr.ts";

const SECTOR_BYTES = 512; // GRUB's BIOS code counts in these whatever the disk's sectors are
const BOOT_KERNEL_SECTOR = 0x5c; // u64le: LBA of core's first sector
const BOOT_DRIVE = 0x64; // u8: 0xff takes the drive that the BIOS booted from
const BOOT_DRIVE_CHECK = 0x66; // 2 bytes: a jump over the workaround for BIOSes that pass a wrong drive
const CORE_BLOCK_LIST = SECTOR_BYTES - 12; // 0x1f4, the last list of diskboot.img; the one below it ends the chain
const CORE_SEGMENT = 0x820; // where diskboot loads to: 0x8000 >> 4, plus one sector
const CORE_REED_SOLOMON = SECTOR_BYTES + 0x10; // u32le: redundancy bytes, 0 without codes
const CORE_RAW_LENGTH = SECTOR_BYTES + 0x14; // u16le: 0xffff marks a core.img of another format
const CORE_LARGEST_BYTES = 0x78000 - 0x9000; // what fits below the BIOS's own memory
const HYBRID_KERNEL_SECTOR = 0x1b0; // u64le: LBA of the El Torito image's loader
const ELTORITO_CDBOOT_SECTORS = 4; // cdboot.img, 2048 bytes, comes first and is for CDs only

/** The boot code for the MBR (440 bytes) and the core image, padded to 512, that belongs at `coreLba`. */
export interface GrubDisk {
  readonly bootCode: Uint8Array;
  readonly core: Uint8Array;
}

/**
 * `bootImg` is GRUB's boot.img, `coreImg` what grub-mkimage -O i386-pc made, `coreLba` the first sector of the BIOS boot
 * partition in units of 512 bytes. Throws FORMAT_INVALID for images that are not these, LAYOUT_OVERFLOW for a core
 * over 454656 bytes.
 */
export function embedGrubDisk(request: {
  readonly bootImg: Uint8Array;
  readonly coreImg: Uint8Array;
  readonly coreLba: number;
}): GrubDisk {
  const { bootImg, coreImg, coreLba } = request;
  checkBootImage("boot.img", bootImg);
  checkCore(coreImg);
  const bootCode = Uint8Array.from(bootImg.subarray(0, MBR_BOOT_CODE_BYTES));
  putFields(bootCode, "grub boot.img", [
    ["kernelSector", BOOT_KERNEL_SECTOR, "u64le", coreLba],
    ["bootDrive", BOOT_DRIVE, "u8", 0xff],
    ["driveCheck", BOOT_DRIVE_CHECK, "u16le", 0x9090], // two NOPs: take the workaround, this is a hard disk
  ]);
  const sectors = Math.ceil(coreImg.length / SECTOR_BYTES);
  const core = new Uint8Array(sectors * SECTOR_BYTES);
  core.set(coreImg);
  putFields(core, "grub core.img block list", [
    ["start", CORE_BLOCK_LIST, "u64le", coreLba + 1],
    ["length", CORE_BLOCK_LIST + 8, "u16le", sectors - 1],
    ["segment", CORE_BLOCK_LIST + 10, "u16le", CORE_SEGMENT],
  ]);
  return { bootCode, core };
}

/**
 * Boot code (440 bytes) for the MBR of a hybrid ISO: GRUB's boot_hybrid.img, pointed behind the CD loader of the El Torito
 * image at `eltoritoLba512`, in units of 512 bytes (four per ISO block). The drive check stays as GRUB ships it.
 */
export function embedGrubHybrid(request: {
  readonly bootHybridImg: Uint8Array;
  readonly eltoritoLba512: number;
}): Uint8Array {
  const { bootHybridImg, eltoritoLba512 } = request;
  checkBootImage("boot_hybrid.img", bootHybridImg);
  const bootCode = Uint8Array.from(bootHybridImg.subarray(0, MBR_BOOT_CODE_BYTES));
  const sector = eltoritoLba512 + ELTORITO_CDBOOT_SECTORS;
  putFields(bootCode, "grub boot_hybrid.img", [["kernelSector", HYBRID_KERNEL_SECTOR, "u64le", sector]]);
  return bootCode;
}

function checkBootImage(name: string, image: Uint8Array): void {
  if (image.length !== SECTOR_BYTES) throw refuse(name, image.length, "512 bytes");
  const view = viewOf(image);
  const [jump, check, signature] = [
    view.getUint16(0, false),
    view.getUint8(BOOT_DRIVE_CHECK),
    view.getUint16(510, false),
  ];
  if (jump !== 0xeb63 || check !== 0xeb || signature !== 0x55aa) {
    throw refuse(name, [jump, check, signature], "GRUB's boot sector, a jump at 0 and 0x66 and 55 AA at its end");
  }
}

function checkCore(core: Uint8Array): void {
  if (core.length > CORE_LARGEST_BYTES) {
    const expected = `at most ${CORE_LARGEST_BYTES} bytes`;
    const fix = "build GRUB with fewer modules";
    throw new FactoryError({ code: "LAYOUT_OVERFLOW", field: "grub core.img", found: core.length, expected, fix });
  }
  if (core.length < 2 * SECTOR_BYTES) throw refuse("core.img", core.length, "two sectors or more");
  const view = viewOf(core);
  const segment = view.getUint16(CORE_BLOCK_LIST + 10, true);
  if (segment !== CORE_SEGMENT) throw refuse("core.img segment", segment, `${CORE_SEGMENT} (diskboot.img in front)`);
  const below = view.getUint16(CORE_BLOCK_LIST - 4, true);
  if (below !== 0) throw refuse("core.img second block list", below, "none");
  const redundancy = view.getUint32(CORE_REED_SOLOMON, true);
  if (redundancy !== 0) throw refuse("core.img redundancy", redundancy, "0, an image that was not set up before");
  if (view.getUint16(CORE_RAW_LENGTH, true) === 0xffff)
    throw refuse("core.img format", 0xffff, "a core.img of GRUB 2.12");
}

function refuse(field: string, found: unknown, expected: string): FactoryError {
  const fix = "take the i386-pc images of one GRUB 2.12 package";
  return new FactoryError({ code: "FORMAT_INVALID", field: `grub ${field}`, found, expected, fix });
}
