#include "machine/boot/pvh.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"
#include "machine/storage/host_file.h"

namespace reprise::machine::boot {
namespace {

constexpr u32 kNotePhys32Entry = 18;
constexpr u32 kStartInfoMagic = 0x336ec578;
constexpr u32 kStartInfoVersion = 1;  // with the memory map
constexpr u64 kModuleListOffset = 0x40;
constexpr u64 kMemoryMapOffset = 0x80;

void put(std::vector<u8>& bytes, u64 value, unsigned count) {
  for (unsigned i = 0; i < count; ++i) bytes.push_back(static_cast<u8>(value >> (8 * i)));
}

/// hvm_start_info, the module list and the memory map, for kBootInfoPhys.
std::vector<u8> start_info(const BootTarget& target, PhysRange initrd) {
  const bool has_initrd = initrd.begin != initrd.end;
  const std::vector<E820Entry> e820 = target.memory.e820();
  std::vector<u8> bytes;
  put(bytes, kStartInfoMagic, 4);
  put(bytes, kStartInfoVersion, 4);
  put(bytes, 0, 4);  // flags
  put(bytes, has_initrd ? 1 : 0, 4);
  put(bytes, has_initrd ? kBootInfoPhys + kModuleListOffset : 0, 8);
  put(bytes, kCommandLinePhys, 8);
  put(bytes, target.rsdp.phys, 8);
  put(bytes, kBootInfoPhys + kMemoryMapOffset, 8);
  put(bytes, e820.size(), 4);
  bytes.resize(kModuleListOffset);
  put(bytes, initrd.begin, 8);
  put(bytes, initrd.end - initrd.begin, 8);
  put(bytes, 0, 8);  // no command line of its own
  bytes.resize(kMemoryMapOffset);
  for (const E820Entry& entry : e820) {
    put(bytes, entry.phys, 8);
    put(bytes, entry.bytes, 8);
    put(bytes, static_cast<u32>(entry.type), 4);
    put(bytes, 0, 4);
  }
  return bytes;
}

Result<PhysRange> load_initrd(u64 kernel_end_phys, const BootRequest& request, const BootTarget& target) {
  if (request.initrd_path.empty()) return PhysRange{0, 0};
  const u64 bytes = TRY(host_file_bytes("initrd", request.initrd_path, target.files));
  const u64 top = target.memory.usable_end_phys();
  if (bytes > top || align_down(top - bytes, kPageBytes) < kernel_end_phys) {
    return Error{fmt::format("initrd '{}' ({} bytes) does not fit into memory above the kernel: {}.",
                             request.initrd_path, bytes, room_advice(kernel_end_phys + bytes + kMiB))};
  }
  const u64 phys = align_down(top - bytes, kPageBytes);
  const std::vector<u8> initrd = TRY(read_host_file("initrd", request.initrd_path, bytes, target.files));
  write_phys(target, phys, initrd);
  return PhysRange{phys, phys + initrd.size()};
}

}  // namespace

Result<EntryState> load_pvh(std::span<const u8> image, const BootRequest& request, const BootTarget& target) {
  const Result<ElfImage> parsed = parse_elf(image);
  if (!parsed) return Error{fmt::format("kernel '{}' {}", request.kernel_path, parsed.error().message)};
  const ElfImage& elf = parsed.value();

  const std::span<const u8> note = find_elf_note(elf, image, "Xen", kNotePhys32Entry);
  const std::optional<u32> entry = field_at<u32>(note, 0);
  if (!entry) {
    return Error{fmt::format(
        "kernel '{}' is an ELF file without a PVH entry note: build it with CONFIG_PVH=y, or give "
        "its bzImage (arch/x86/boot/bzImage, vmlinuz) instead.",
        request.kernel_path)};
  }
  u64 kernel_end_phys = 0;
  for (const PhysRange& range : TRY(load_elf_segments(elf, ElfPlace::High, image, request, target)))
    kernel_end_phys = std::max(kernel_end_phys, range.end);
  TRY(write_command_line(target, request.command_line, kMaxCommandLineBytes));
  const PhysRange initrd = TRY(load_initrd(kernel_end_phys, request, target));
  write_phys(target, kBootInfoPhys, start_info(target, initrd));
  return EntryState{.mode = EntryMode::Flat32, .rip = *entry, .rbx = kBootInfoPhys};
}

}  // namespace reprise::machine::boot
