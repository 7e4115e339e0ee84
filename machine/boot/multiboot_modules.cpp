#include "machine/boot/multiboot_modules.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"
#include "machine/storage/host_file.h"

namespace reprise::machine::boot {
namespace {

constexpr u64 kMaxModules = 64;
/// Where QEMU begins, too. Kernels put code for real mode below.
constexpr u64 kFirstPlacePhys = 0x9000;

/// "a x,b,,c" -> {"a x", "b,c"}.
std::vector<std::string> split_modules(std::string_view text) {
  std::vector<std::string> out(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',')
      out.back() += text[i];
    else if (i + 1 < text.size() && text[i + 1] == ',')
      out.back() += text[++i];
    else
      out.emplace_back();
  }
  std::erase(out, "");
  return out;
}

u64 end_of(const std::vector<PhysRange>& used) {
  u64 end = kHighMemoryPhys;
  for (const PhysRange& range : used) end = std::max(end, range.end);
  return align_up(end, kPageBytes);
}

}  // namespace

Result<std::vector<MultibootModule>> load_modules(const std::vector<PhysRange>& used,
                                                  const BootRequest& request, const BootTarget& target) {
  std::vector<MultibootModule> modules;
  u64 next_phys = end_of(used);
  for (const std::string& text : split_modules(request.initrd_path)) {
    if (modules.size() == kMaxModules) {
      return Error{fmt::format("--initrd lists more than {} modules: join some of them.", kMaxModules)};
    }
    const std::string path = text.substr(0, text.find(' '));
    const u64 size = TRY(host_file_bytes("module", path, target.files));
    if (!fits_low_ram(target, next_phys, size)) {
      return Error{fmt::format("module '{}' ({} bytes) does not fit into memory: {}.", path, size,
                               room_advice(next_phys + size))};
    }
    const std::vector<u8> bytes = TRY(read_host_file("module", path, size, target.files));
    write_phys(target, next_phys, bytes);
    modules.push_back({{next_phys, next_phys + bytes.size()}, text});
    next_phys = align_up(next_phys + bytes.size(), kPageBytes);
  }
  return modules;
}

std::string multiboot_command_line(const BootRequest& request) {
  if (request.command_line.empty()) return request.kernel_path;
  return request.kernel_path + " " + request.command_line;
}

std::vector<PhysRange> with_modules(std::vector<PhysRange> used,
                                    const std::vector<MultibootModule>& modules) {
  for (const MultibootModule& module : modules) used.push_back(module.range);
  return used;
}

Result<u64> free_place(u64 bytes, const std::vector<PhysRange>& used, const BootTarget& target) {
  for (u64 phys = kFirstPlacePhys; fits_ram(target, phys, bytes);) {
    const PhysRange wanted = {phys, phys + bytes};
    const auto taken =
        std::ranges::find_if(used, [&](const PhysRange& range) { return range.overlaps(wanted); });
    if (taken == used.end()) return phys;
    phys = align_up(taken->end, kPageBytes);
  }
  const u64 above = end_of(used);
  if (fits_low_ram(target, above, bytes)) return above;
  return Error{
      fmt::format("there is no room for what the kernel is told ({} bytes): give at least --memory {}M.",
                  bytes, mib_needed(above + bytes))};
}

}  // namespace reprise::machine::boot
