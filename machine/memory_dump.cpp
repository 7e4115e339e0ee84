#include "machine/memory_dump.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>

#include "machine/layout/memory_map.h"
#include "machine/storage/host_file.h"

namespace reprise::machine {
namespace {

/// Little-endian words in a row.
class Words {
 public:
  template <class... Values>
  void u32s(Values... values) {
    (put(static_cast<u64>(values), 4), ...);
  }
  template <class... Values>
  void u64s(Values... values) {
    (put(static_cast<u64>(values), 8), ...);
  }
  void zeros(std::size_t count) { bytes_.resize(bytes_.size() + count); }
  const std::vector<u8>& bytes() const { return bytes_; }

 private:
  void put(u64 value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) bytes_.push_back(static_cast<u8>(value >> (8 * i)));
  }

  std::vector<u8> bytes_;
};

/// System V ABI, "Note Section": parts are filled up to words.
void add_note(std::vector<u8>& notes, std::string_view name, u32 type, std::span<const u8> content) {
  const auto filled = [](std::size_t bytes) { return (bytes + 3) / 4 * 4; };
  Words header;
  header.u32s(name.size() + 1, content.size(), type);
  notes.insert(notes.end(), header.bytes().begin(), header.bytes().end());
  notes.insert(notes.end(), name.begin(), name.end());
  notes.resize(notes.size() + filled(name.size() + 1) - name.size());
  notes.insert(notes.end(), content.begin(), content.end());
  notes.resize(notes.size() + filled(content.size()) - content.size());
}

/// struct elf_prstatus of Linux on x86-64: kernel, include/uapi/linux/elfcore.h and arch/x86/include/asm/user_64.h.
std::vector<u8> prstatus(const Processor& processor) {
  using namespace cpu;
  const CpuState& state = processor.cpu.state;
  const auto selector = [&](SegmentIndex index) { return state.seg[index].selector; };
  constexpr std::size_t kBeforePid = 32, kBetween = 112 - 36, kBehind = 8;
  Words words;
  words.zeros(kBeforePid);
  words.u32s(processor.index() + 1);
  words.zeros(kBetween);
  for (const Gpr gpr : {R15, R14, R13, R12, RBP, RBX, R11, R10, R9, R8, RAX, RCX, RDX, RSI, RDI, RAX})
    words.u64s(state.gpr[gpr]);
  words.u64s(state.rip, selector(CS), state.rflags, state.gpr[RSP], selector(SS), state.seg[FS].base,
             state.seg[GS].base, selector(DS), selector(ES), selector(FS), selector(GS));
  words.zeros(kBehind);
  return words.bytes();
}

/// struct QEMUCPUState: QEMU, target/i386/arch_dump.c. It has what NT_PRSTATUS has no room for.
std::vector<u8> qemu_state(const Processor& processor) {
  using namespace cpu;
  const CpuState& state = processor.cpu.state;
  constexpr u32 kVersion = 1, kBytes = 440;
  Words words;
  words.u32s(kVersion, kBytes);
  for (const Gpr gpr : {RAX, RBX, RCX, RDX, RSI, RDI, RSP, RBP, R8, R9, R10, R11, R12, R13, R14, R15})
    words.u64s(state.gpr[gpr]);
  words.u64s(state.rip, state.rflags);
  const auto segment = [&](const Segment& one) {
    words.u32s(one.selector, one.limit, 0, 0);
    words.u64s(one.base);
  };
  const auto table = [&](const TableRegister& one) {
    words.u32s(0, one.limit, 0, 0);
    words.u64s(one.base);
  };
  for (const SegmentIndex index : {CS, DS, ES, FS, GS, SS}) segment(state.seg[index]);
  segment(state.ldtr);
  segment(state.tr);
  table(state.gdtr);
  table(state.idtr);
  words.u64s(state.cr0, 0, state.cr2, state.cr3, state.cr4, state.kernel_gs_base);
  return words.bytes();
}

/// The note that Linux keeps for its crash kernel at the beginning of a page (kernel/crash_core.c): what is in it. Empty: there is none.
std::span<const u8> vmcoreinfo_in(std::span<const u8> ram) {
  constexpr std::string_view kName = "VMCOREINFO", kBegins = "OSRELEASE=";
  constexpr std::size_t kHeader = 12, kContent = kHeader + 12;
  for (std::size_t page = 0; page + kPageBytes <= ram.size(); page += kPageBytes) {
    const u8* const at = ram.data() + page;
    if (std::memcmp(at + kHeader, kName.data(), kName.size()) != 0 ||
        read_unaligned<u32>(at) != kName.size() + 1)
      continue;
    const std::size_t bytes = read_unaligned<u32>(at + 4);
    if (bytes > kPageBytes - kContent || bytes < kBegins.size() ||
        std::memcmp(at + kContent, kBegins.data(), kBegins.size()) != 0)
      continue;
    return ram.subspan(page + kContent, bytes);
  }
  return {};
}

/// What `name` is in it, "SYMBOL(_stext)=ffffffff81000000" or "NUMBER(phys_base)=-4096".
std::optional<u64> number_in(std::span<const u8> info, std::string_view name, int base) {
  const std::string_view text(reinterpret_cast<const char*>(info.data()), info.size());
  const std::string wanted = fmt::format("\n{}=", name);
  const std::size_t found = text.find(wanted);
  if (found == text.npos) return std::nullopt;
  std::string_view digits = text.substr(found + wanted.size());
  const bool negative = digits.starts_with('-');
  digits.remove_prefix(negative ? 1 : 0);
  u64 value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value, base).ec != std::errc{})
    return std::nullopt;
  return negative ? ~value + 1 : value;
}

/// Where the kernel's image lies, by which drgn finds the page tables. Linux maps it in the last 2 GiB; modules follow 1 GiB further on.
struct KernelImage {
  u64 linear = 0;
  u64 phys = 0;
  u64 bytes = 0;
};

std::optional<KernelImage> kernel_image(std::span<const u8> info, u64 low_ram_end_phys) {
  constexpr u64 kMap = 0xffff'ffff'8000'0000, kModules = kMap + kGiB;
  const auto linear = number_in(info, "SYMBOL(_stext)", 16);
  const auto phys_base = number_in(info, "NUMBER(phys_base)", 10);
  if (!linear || !phys_base || *linear < kMap || *linear >= kModules || *linear % kPageBytes != 0)
    return std::nullopt;
  const u64 phys = *linear - kMap + *phys_base;
  if (phys >= low_ram_end_phys || phys % kPageBytes != 0) return std::nullopt;
  return KernelImage{*linear, phys, std::min(low_ram_end_phys - phys, kModules - *linear)};
}

Result<Done> write_at(int fd, std::span<const u8> bytes, u64 offset) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Error{why_not_written(count == 0 ? ENOSPC : errno)};
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<u64>(count);
  }
  return Done{};
}

bool is_zero(std::span<const u8> page) {
  return std::ranges::all_of(page, [](u8 byte) { return byte == 0; });
}

/// Stretches of pages that are not all zero.
Result<Done> write_pages(int fd, std::span<const u8> ram, u64 offset) {
  for (std::size_t begin = 0; begin < ram.size();) {
    if (is_zero(ram.subspan(begin, kPageBytes))) {
      begin += kPageBytes;
      continue;
    }
    std::size_t end = begin + kPageBytes;
    while (end < ram.size() && !is_zero(ram.subspan(end, kPageBytes))) end += kPageBytes;
    TRY(write_at(fd, ram.subspan(begin, end - begin), offset + begin));
    begin = end;
  }
  return Done{};
}

/// Once more what one of the segments has, by linear address.
Elf64_Phdr image_part(const KernelImage& image, std::span<const Elf64_Phdr> ranges) {
  Elf64_Phdr part = {};
  part.p_type = PT_NULL;
  for (const Elf64_Phdr& range : ranges) {
    if (image.phys < range.p_paddr || image.phys - range.p_paddr >= range.p_memsz) continue;
    const u64 within = image.phys - range.p_paddr;
    part = range;
    part.p_offset += within;
    part.p_vaddr = image.linear;
    part.p_paddr = image.phys;
    part.p_filesz = part.p_memsz = std::min(image.bytes, range.p_memsz - within);
  }
  return part;
}

Elf64_Ehdr header(std::size_t program_headers) {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = static_cast<Elf64_Half>(program_headers);
  return header;
}

template <class T>
std::span<const u8> bytes_of(const T& value) {
  return {reinterpret_cast<const u8*>(&value), sizeof value};
}

}  // namespace

Result<Done> write_memory_dump(Machine& machine, int fd) {
  const std::span<const u8> ram(machine.ram().host(), machine.config().ram_bytes);
  std::vector<u8> notes;
  for (const auto& processor : machine.pc().processors())
    add_note(notes, "CORE", NT_PRSTATUS, prstatus(*processor));
  for (const auto& processor : machine.pc().processors()) add_note(notes, "QEMU", 0, qemu_state(*processor));
  const std::span<const u8> info = vmcoreinfo_in(ram);
  if (!info.empty()) add_note(notes, "VMCOREINFO", 0, info);

  const MemoryMap memory(ram.size());
  const std::vector<RamRange> ranges = memory.ram_ranges();
  const std::optional<KernelImage> image = kernel_image(info, memory.low_ram_end_phys());
  const u64 notes_at = sizeof(Elf64_Ehdr) + (ranges.size() + (image ? 2 : 1)) * sizeof(Elf64_Phdr);
  std::vector<Elf64_Phdr> parts(1);
  parts[0].p_type = PT_NOTE;
  parts[0].p_offset = notes_at;
  parts[0].p_filesz = parts[0].p_memsz = notes.size();
  u64 end = (notes_at + notes.size() + kPageBytes - 1) / kPageBytes * kPageBytes;
  for (const RamRange& range : ranges) {
    Elf64_Phdr& part = parts.emplace_back();
    part.p_type = PT_LOAD;
    part.p_flags = PF_R | PF_W | PF_X;
    part.p_offset = end;
    part.p_paddr = range.phys;
    part.p_filesz = part.p_memsz = range.bytes;
    end += range.bytes;
  }
  const std::size_t first_range = 1;
  if (image) parts.push_back(image_part(*image, {parts.begin() + first_range, parts.end()}));
  if (ftruncate(fd, 0) != 0 || ftruncate(fd, static_cast<off_t>(end)) != 0)
    return Error{why_not_written(errno)};
  TRY(write_at(fd, bytes_of(header(parts.size())), 0));
  TRY(write_at(fd, {reinterpret_cast<const u8*>(parts.data()), parts.size() * sizeof parts[0]},
               sizeof(Elf64_Ehdr)));
  TRY(write_at(fd, notes, notes_at));
  for (std::size_t i = 0; i < ranges.size(); ++i)
    TRY(write_pages(fd, ram.subspan(ranges[i].ram_offset, ranges[i].bytes), parts[first_range + i].p_offset));
  return Done{};
}

}  // namespace reprise::machine
