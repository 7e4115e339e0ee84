#include "frontend/version.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <algorithm>
#include <span>

#include "common/bits.h"
#include "common/types.h"

namespace reprise::frontend {
namespace {

/// Of this program's file, by the linker's note; empty: there is none.
std::string find_build_id() {
  std::string id;
  const auto find = [](dl_phdr_info* info, std::size_t, void* into) {
    constexpr std::size_t kShownBytes = 6;
    for (const auto& segment : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
      if (segment.p_type != PT_NOTE) continue;
      const u8* at = reinterpret_cast<const u8*>(info->dlpi_addr + segment.p_vaddr);
      for (const u8* const end = at + segment.p_memsz; at + sizeof(ElfW(Nhdr)) <= end;) {
        const auto note = read_unaligned<ElfW(Nhdr)>(at);
        const u8* const name = at + sizeof note;
        const u8* const content = name + align_up(note.n_namesz, 4);
        if (note.n_type == NT_GNU_BUILD_ID &&
            std::string_view(reinterpret_cast<const char*>(name), 3) == "GNU")
          for (const u8 byte : std::span(content, std::min<std::size_t>(note.n_descsz, kShownBytes)))
            *static_cast<std::string*>(into) += fmt::format("{:02x}", byte);
        at = content + align_up(note.n_descsz, 4);
      }
    }
    return 1;  // the program is the first
  };
  dl_iterate_phdr(find, &id);
  return id;
}

}  // namespace

std::string_view version_text() { return "reprise " REPRISE_VERSION; }

const std::string& build_id() {
  static const std::string id = find_build_id();
  return id;
}

const std::string& build_text() {
  static const std::string text = [] {
    const std::string& id = build_id();
    return id.empty() ? std::string(version_text()) : fmt::format("{} (build {})", version_text(), id);
  }();
  return text;
}

std::string version_line() {
  constexpr std::string_view kBuildType = REPRISE_BUILD_TYPE;
  return fmt::format("{}, {} build\n", version_text(), kBuildType.empty() ? "plain" : kBuildType);
}

}  // namespace reprise::frontend
