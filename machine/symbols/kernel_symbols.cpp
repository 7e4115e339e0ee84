#include "machine/symbols/kernel_symbols.h"

#include <fmt/format.h>

#include "machine/symbols/linear_reader.h"
#include "mmu/paging_bits.h"

namespace reprise::machine::symbols {
namespace {

constexpr u64 kPageFaultVector = 14;
/// Linux moves its image by multiples of this (CONFIG_PHYSICAL_ALIGN is no less), within 1 GiB (KERNEL_IMAGE_SIZE).
constexpr u64 kSlideAlign = u64{2} << 20;
constexpr u64 kMaxSlide = u64{1} << 30;

bool is_plausible(u64 slide) {
  return slide % kSlideAlign == 0 && (slide < kMaxSlide || ~slide + 1 < kMaxSlide);
}

/// Where the gate of `vector` in the IDT leads to. SDM 3A 6.11, 6.14.1.
std::optional<u64> gate_target(const cpu::Cpu& cpu, u64 vector) {
  const bool wide = (cpu.state.efer & mmu::kEferLma) != 0;
  const u64 bytes = wide ? 16 : 8;
  const cpu::TableRegister& idtr = cpu.state.idtr;
  if (vector * bytes + (bytes - 1) > idtr.limit) return std::nullopt;
  LinearReader reader(cpu);
  const std::optional<u64> low = reader.word(idtr.base + vector * bytes, 8);
  const std::optional<u64> high = wide ? reader.word(idtr.base + vector * bytes + 8, 4) : u64{0};
  constexpr u64 kPresent = u64{1} << 47;
  if (!low || !high || !(*low & kPresent)) return std::nullopt;
  return *high << 32 | (*low >> 48 & 0xffff) << 16 | (*low & 0xffff);
}

/// Handlers of the early IDT lie at equal distances from the first (early_idt_handler_array), which this returns, as far as
/// these two go.
std::optional<u64> early_handlers(const cpu::Cpu& cpu) {
  constexpr u64 kMaxHandlerBytes = 16;
  const std::optional<u64> first = gate_target(cpu, 0);
  const std::optional<u64> page_fault = gate_target(cpu, kPageFaultVector);
  if (!first || !page_fault) return std::nullopt;
  const u64 distance = *page_fault - *first;
  if (distance == 0 || distance % kPageFaultVector != 0 || distance / kPageFaultVector > kMaxHandlerBytes)
    return std::nullopt;
  return first;
}

}  // namespace

KernelSymbols::KernelSymbols(std::shared_ptr<const SymbolTable> table, const Processors& processors)
    : table_(std::move(table)), processors_(processors) {
  using Place = Anchor::Place;
  // The names that Linux has had for them. arch/x86/entry, arch/x86/kernel/head_64.S and head_32.S.
  constexpr std::pair<Place, std::string_view> kAnchors[] = {
      {Place::Lstar, "entry_SYSCALL_64"},           {Place::Lstar, "system_call"},
      {Place::PageFaultGate, "asm_exc_page_fault"}, {Place::PageFaultGate, "page_fault"},
      {Place::PageFaultGate, "async_page_fault"},   {Place::EarlyPageFaultGate, "early_idt_handler_array"}};
  if (!table_) return;
  for (const auto& [place, symbol] : kAnchors)
    if (const std::optional<u64> linked = table_->address_of(symbol))
      anchors_.push_back({place, symbol, *linked});
}

std::optional<u64> KernelSymbols::read(const cpu::Cpu& cpu, Anchor::Place place) {
  switch (place) {
    case Anchor::Place::Lstar: return cpu.state.lstar == 0 ? std::nullopt : std::optional(cpu.state.lstar);
    case Anchor::Place::PageFaultGate: return gate_target(cpu, kPageFaultVector);
    case Anchor::Place::EarlyPageFaultGate: return early_handlers(cpu);
  }
  return std::nullopt;
}

std::optional<Slide> KernelSymbols::slide_of(const cpu::Cpu& cpu) const {
  constexpr std::string_view kPlaces[] = {"LSTAR", "the gate of page faults", "the first gate of the IDT"};
  std::optional<Slide> slide;
  for (const Anchor& anchor : anchors_) {
    const std::optional<u64> now = read(cpu, anchor.place);
    if (!now || !is_plausible(*now - anchor.linked)) continue;
    if (!slide) slide = Slide{*now - anchor.linked, {}};
    // Two that contradict each other: the file is of another kernel.
    if (slide->bytes != *now - anchor.linked) return std::nullopt;
    if (!slide->by.empty()) slide->by += ", and ";
    slide->by +=
        fmt::format("{}, which is {}", kPlaces[static_cast<std::size_t>(anchor.place)], anchor.symbol);
  }
  return slide;
}

std::optional<Slide> KernelSymbols::slide() const {
  if (!table_) return std::nullopt;
  if (anchors_.empty()) return Slide{};
  for (const auto& processor : processors_)
    if (std::optional<Slide> slide = slide_of(processor->cpu)) return slide;
  return std::nullopt;
}

std::optional<u64> KernelSymbols::linked(u64 linear) const {
  const std::optional<Slide> here = slide();
  if (!here) return std::nullopt;
  const u64 linked = linear - here->bytes;
  // Modules do not move with the image.
  if (here->bytes != 0 && !table_->in_image(linked)) return std::nullopt;
  if (!table_->find(linked)) return std::nullopt;
  return linked;
}

std::string KernelSymbols::text(u64 linear) const {
  const std::optional<u64> there = linked(linear);
  return there ? linked_text(*there) : "";
}

std::string KernelSymbols::linked_text(u64 linked) const {
  const std::optional<SymbolTable::Place> place = table_ ? table_->find(linked) : std::nullopt;
  if (!place) return "";
  if (place->distance == 0) return std::string(place->name);
  return fmt::format("{}+{:#x}", place->name, place->distance);
}

std::optional<u64> KernelSymbols::address_of(std::string_view name) const {
  if (!table_) return std::nullopt;
  const std::optional<u64> linked = table_->address_of(name);
  const std::optional<Slide> here = slide();
  if (!linked || !here) return std::nullopt;
  return table_->in_image(*linked) ? *linked + here->bytes : *linked;
}

}  // namespace reprise::machine::symbols
