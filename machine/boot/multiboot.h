// Multiboot 1 kernels: Multiboot Specification 0.6.96. 32-bit ELF, and images with the address fields of the
// header ("a.out kludge"). The kernel's path comes first on its command line, as QEMU has it; modules:
// machine/boot/multiboot_modules.h. The screen is in text mode, whatever mode the header prefers; the user is told. Missing:
// drives, APM, boot device, symbol tables.
#pragma once

#include "machine/boot/elf.h"

namespace reprise::machine::boot {

/// A mode that the kernel would like; 0: any.
struct MultibootGraphics {
  u32 width, height, bits_per_pixel;
};

struct MultibootHeader {
  u64 offset;  // in the image
  u32 flags;
  u32 header_phys, load_phys, load_end_phys, bss_end_phys, entry_phys;  // with kAddressFields
  std::optional<MultibootGraphics> graphics = {};                       // asked for
  static constexpr u32 kAddressFields = 1u << 16;
};

/// The header in the first 8 KiB of `image`, 4-byte aligned and with a right checksum.
std::optional<MultibootHeader> find_multiboot_header(std::span<const u8> image);

/// Loads the image by the addresses of `header`. Returns the range used.
Result<std::vector<PhysRange>> load_by_addresses(const MultibootHeader& header, std::span<const u8> image,
                                                 const BootRequest& request, const BootTarget& target);

/// What the user should know of a kernel that asks for graphics.
std::string graphics_remark(const BootRequest& request, const MultibootGraphics& wanted);

Result<EntryState> load_multiboot(std::span<const u8> image, const BootRequest& request,
                                  const BootTarget& target);

}  // namespace reprise::machine::boot
