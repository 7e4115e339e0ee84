#include "machine/boot/boot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "machine/boot/linux.h"
#include "machine/boot/multiboot.h"
#include "machine/boot/multiboot2.h"
#include "machine/boot/pvh.h"
#include "machine/boot/real_mode.h"
#include "machine/storage/file_kind.h"
#include "machine/storage/host_file.h"

namespace reprise::machine::boot {
namespace {

Error misplaced(const BootRequest& request, const FileKind& kind) {
  return Error{fmt::format("kernel '{}' is {}: {}.", request.kernel_path, kind.what, kind.advice)};
}

}  // namespace

Result<std::vector<u8>> read_kernel(const BootRequest& request, const MemoryMap& memory, RunFiles* files) {
  const u64 bytes = TRY(host_file_bytes("kernel", request.kernel_path, files));
  if (bytes > memory.low_ram_end_phys()) {
    const std::vector<u8> head = TRY(read_host_head("kernel", request.kernel_path, kFileKindBytes, files));
    if (const FileKind* kind = misplaced_file(head, FileUse::Kernel)) return misplaced(request, *kind);
    return Error{fmt::format("kernel '{}' ({} bytes) does not fit into memory: {}.", request.kernel_path,
                             bytes, room_advice(kHighMemoryPhys + bytes))};
  }
  return read_host_file("kernel", request.kernel_path, bytes, files);
}

Result<EntryState> load_image(std::span<const u8> image, const BootRequest& request,
                              const BootTarget& target) {
  if (is_bzimage(image)) {
    if (needs_real_mode(image))
      return Error{fmt::format("kernel '{}' starts in real mode: it needs firmware.", request.kernel_path)};
    return load_linux(image, request, target);
  }
  if (find_multiboot_header(image)) return load_multiboot(image, request, target);
  if (find_multiboot2_header(image)) return load_multiboot2(image, request, target);
  if (is_elf(image)) return load_pvh(image, request, target);
  if (const FileKind* kind = misplaced_file(image, FileUse::Kernel)) return misplaced(request, *kind);
  return Error{fmt::format(
      "kernel '{}' is none of bzImage, zImage, Multiboot 1 or 2, or ELF with a PVH entry: give the "
      "kernel's bzImage (vmlinuz).",
      request.kernel_path)};
}

bool fits_low_ram(const BootTarget& target, u64 phys, u64 bytes) {
  const u64 end = target.memory.usable_end_phys();
  return phys >= kHighMemoryPhys && phys <= end && bytes <= end - phys;
}

bool fits_ram(const BootTarget& target, u64 phys, u64 bytes) {
  if (phys >= kHighMemoryPhys) return fits_low_ram(target, phys, bytes);
  return phys >= kConventionalPhys && phys <= kConventionalEndPhys && bytes <= kConventionalEndPhys - phys;
}

void write_phys(const BootTarget& target, u64 phys, std::span<const u8> bytes) {
  if (!bytes.empty()) target.space.write(phys, bytes);
}

void zero_phys(const BootTarget& target, u64 phys, u64 bytes) {
  if (bytes != 0) target.space.zero(phys, bytes);
}

void GuestMemory::write(u64 phys, std::span<const u8> bytes) { phys_map_.write_bytes(phys, bytes); }

void GuestMemory::zero(u64 phys, u64 bytes) {
  static constexpr std::array<u8, kPageBytes> kZeros{};
  while (bytes != 0) {
    const u64 step = std::min<u64>(bytes, kPageBytes);
    phys_map_.write_bytes(phys, std::span(kZeros).first(step));
    phys += step;
    bytes -= step;
  }
}

Result<Done> write_command_line(const BootTarget& target, const std::string& command_line, u64 max_bytes) {
  const u64 limit = std::min(max_bytes, kMaxCommandLineBytes - 1);
  if (command_line.size() > limit) {
    return Error{fmt::format("the kernel command line is too long ({} bytes): this kernel takes at most {}.",
                             command_line.size(), limit)};
  }
  const u8* text = reinterpret_cast<const u8*>(command_line.c_str());
  write_phys(target, kCommandLinePhys, {text, command_line.size() + 1});
  return Done{};
}

std::string room_advice(u64 end_phys, u64 limit_phys) {
  const u64 limit = std::min(limit_phys, kLowRamLimitPhys);
  if (end_phys > limit)
    return fmt::format("it must end below {}M, whatever --memory is: give a smaller one", limit / kMiB);
  return fmt::format("give at least --memory {}M", mib_needed(end_phys));
}

std::string no_room(const BootTarget& target, u64 phys, u64 bytes) {
  if (phys < kHighMemoryPhys)
    return fmt::format(
        "wants {:#x} bytes at {:#x}: below 1 MiB a kernel's parts can lie from {:#x} to {:#x}, whatever "
        "--memory is, since a PC has its BIOS's data and the VGA's memory and firmware around that.",
        bytes, phys, kConventionalPhys, kConventionalEndPhys);
  return fmt::format("does not fit into memory: it wants {:#x} bytes at {:#x}, and memory ends at {:#x}: {}.",
                     bytes, phys, target.memory.usable_end_phys(),
                     room_advice(std::min(phys, kMaxRamBytes) + std::min(bytes, kMaxRamBytes)));
}

u64 mib_needed(u64 end_phys) { return (end_phys + kMiB - 1) / kMiB; }

}  // namespace reprise::machine::boot
