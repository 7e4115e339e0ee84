// Multiboot 2 kernels: Multiboot2 Specification 2.0. ELF of either class, and images with the address tag; entered in
// 32-bit protected mode. Modules, command line and screen as for Multiboot 1 (machine/boot/multiboot.h). Missing: relocation (kernels
// are loaded where they are linked), EFI, symbol tables, boot device, APM, VBE, network.
#pragma once

#include "machine/boot/elf.h"

namespace reprise::machine::boot {

/// The offset of the header in the first 32 KiB of `image`, 8-byte aligned and with a right checksum.
std::optional<u64> find_multiboot2_header(std::span<const u8> image);

Result<EntryState> load_multiboot2(std::span<const u8> image, const BootRequest& request,
                                   const BootTarget& target);

}  // namespace reprise::machine::boot
