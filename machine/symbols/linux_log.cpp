#include "machine/symbols/linux_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/words.h"

namespace reprise::machine::symbols {
namespace {

constexpr u64 kWord = 8;
/// A ring may be anything: more records or bytes than these none has.
constexpr u64 kMaxRecordBits = 24, kMaxDataBits = 30, kMaxText = 1 << 16;

/// Where things lie in the kernel's structures.
struct Layout {
  u64 count_bits, descs, infos, head_id, tail_id;  // in printk_ringbuffer
  u64 size_bits, data;                             // in the same
  u64 state, begin, next, desc_bytes;              // in prb_desc
  u64 ns, text_bytes, info_bytes;                  // in printk_info
};

std::optional<Layout> layout_by(const BtfTypes& types) {
  bool known = true;
  const auto offset = [&](std::string_view structure, std::string_view member) -> u64 {
    const std::optional<u64> found = types.offset_of(structure, member);
    known = known && found.has_value();
    return found.value_or(0);
  };
  const auto size = [&](std::string_view structure) -> u64 {
    const std::optional<u64> found = types.size_of(structure);
    known = known && found.has_value();
    return found.value_or(0);
  };
  const u64 ring = offset("printk_ringbuffer", "desc_ring");
  const u64 text = offset("printk_ringbuffer", "text_data_ring");
  const u64 place = offset("prb_desc", "text_blk_lpos");
  const Layout layout = {.count_bits = ring + offset("prb_desc_ring", "count_bits"),
                         .descs = ring + offset("prb_desc_ring", "descs"),
                         .infos = ring + offset("prb_desc_ring", "infos"),
                         .head_id = ring + offset("prb_desc_ring", "head_id"),
                         .tail_id = ring + offset("prb_desc_ring", "tail_id"),
                         .size_bits = text + offset("prb_data_ring", "size_bits"),
                         .data = text + offset("prb_data_ring", "data"),
                         .state = offset("prb_desc", "state_var"),
                         .begin = place + offset("prb_data_blk_lpos", "begin"),
                         .next = place + offset("prb_data_blk_lpos", "next"),
                         .desc_bytes = size("prb_desc"),
                         .ns = offset("printk_info", "ts_nsec"),
                         .text_bytes = offset("printk_info", "text_len"),
                         .info_bytes = size("printk_info")};
  return known ? std::optional(layout) : std::nullopt;
}

class Ring {
 public:
  Ring(const LinearReader& reader, u64 at, const Layout& layout)
      : reader_(reader), at_(at), layout_(layout) {}

  std::optional<std::vector<std::string>> lines() {
    const auto count_bits = reader_.word(at_ + layout_.count_bits, 4);
    const auto size_bits = reader_.word(at_ + layout_.size_bits, 4);
    const auto tail = reader_.word(at_ + layout_.tail_id, kWord);
    const auto head = reader_.word(at_ + layout_.head_id, kWord);
    const auto descs = reader_.word(at_ + layout_.descs, kWord);
    const auto infos = reader_.word(at_ + layout_.infos, kWord);
    const auto data = reader_.word(at_ + layout_.data, kWord);
    if (!count_bits || !size_bits || !tail || !head || !descs || !infos || !data ||
        *count_bits > kMaxRecordBits || *size_bits > kMaxDataBits)
      return std::nullopt;
    data_ = *data;
    size_bits_ = *size_bits;
    std::vector<std::string> lines;
    const u64 count = std::min(((*head - *tail) & kIdMask) + 1, u64{1} << *count_bits);
    for (u64 i = 0; i < count; ++i) {
      const u64 id = (*tail + i) & kIdMask;
      const u64 index = id & ((u64{1} << *count_bits) - 1);
      add_record(id, *descs + index * layout_.desc_bytes, *infos + index * layout_.info_bytes, lines);
    }
    return lines;
  }

 private:
  static constexpr u64 kIdMask = ~u64{0} >> 2;

  void add_record(u64 id, u64 desc, u64 info, std::vector<std::string>& lines) {
    constexpr u64 kCommitted = 1, kFinalized = 2;
    const auto state = reader_.word(desc + layout_.state, kWord);
    const auto begin = reader_.word(desc + layout_.begin, kWord);
    const auto next = reader_.word(desc + layout_.next, kWord);
    const auto ns = reader_.word(info + layout_.ns, kWord);
    const auto bytes = reader_.word(info + layout_.text_bytes, 2);
    if (!state || !begin || !next || !ns || !bytes || (*state & kIdMask) != id) return;
    if (*state >> 62 != kCommitted && *state >> 62 != kFinalized) return;
    constexpr u64 kNsPerUs = 1000, kUsPerSecond = 1'000'000;
    const u64 us = *ns / kNsPerUs;
    const std::string stamp = fmt::format("[{:5}.{:06}] ", us / kUsPerSecond, us % kUsPerSecond);
    const std::string text = text_of(*begin, *next, std::min(*bytes, kMaxText));
    for (const std::string_view line : words_between(text, "\n")) lines.push_back(stamp + std::string(line));
    if (text.empty()) lines.push_back(stamp);
  }

  /// A record's data begins with its number; one that would not fit before the end of the ring lies at its beginning.
  std::string text_of(u64 begin, u64 next, u64 bytes) {
    if ((begin & 1) != 0) return {};  // it has none
    const u64 mask = (u64{1} << size_bits_) - 1;
    const bool wrapped = begin >> size_bits_ != next >> size_bits_ && (next & mask) != 0;
    const u64 at = data_ + (wrapped ? 0 : begin & mask) + kWord;
    std::string text;
    for (u64 i = 0; i < bytes; ++i) {
      const std::optional<u8> byte = reader_.byte(at + i);
      if (!byte) break;
      text += static_cast<char>(*byte);
    }
    return text;
  }

  LinearReader reader_;
  const u64 at_;
  const Layout layout_;
  u64 data_ = 0;
  u64 size_bits_ = 0;
};

}  // namespace

std::optional<std::vector<std::string>> read_linux_log(const KernelSymbols& symbols, const cpu::Cpu& cpu) {
  const std::optional<u64> variable = symbols.address_of("prb");
  if (!variable) return std::nullopt;
  const std::optional<u64> ring = kernel_reader(cpu, *variable).word(*variable, kWord);
  if (!ring || !is_kernel_address(*ring)) return std::nullopt;
  const std::optional<BtfTypes> types = linux_types(symbols, cpu);
  const std::optional<Layout> layout = types ? layout_by(*types) : std::nullopt;
  if (!layout) return std::nullopt;
  return Ring(kernel_reader(cpu, *ring), *ring, *layout).lines();
}

}  // namespace reprise::machine::symbols
