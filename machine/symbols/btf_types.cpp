#include "machine/symbols/btf_types.h"

#include "common/bits.h"

namespace reprise::machine::symbols {
namespace {

constexpr u16 kMagic = 0xeb9f;
constexpr std::size_t kHeaderBytes = 24;
constexpr std::size_t kTypeBytes = 12;
constexpr std::size_t kMemberBytes = 12;
constexpr unsigned kStruct = 4;
constexpr unsigned kUnion = 5;
constexpr u32 kHasBitFields = u32{1} << 31;
/// Nameless structures in nameless structures, and members that are looked at in all: damaged types contain themselves.
constexpr unsigned kDeepest = 8;
constexpr unsigned kMaxLooks = 1u << 20;

/// What follows a type, by its kind: bytes, and bytes for each of its parts.
struct Behind {
  u8 once;
  u8 each;
};
constexpr Behind kBehind[] = {{0, 0},    // void
                              {4, 0},    // INT
                              {0, 0},    // PTR
                              {12, 0},   // ARRAY
                              {0, 12},   // STRUCT
                              {0, 12},   // UNION
                              {0, 8},    // ENUM
                              {0, 0},    // FWD
                              {0, 0},    // TYPEDEF
                              {0, 0},    // VOLATILE
                              {0, 0},    // CONST
                              {0, 0},    // RESTRICT
                              {0, 0},    // FUNC
                              {0, 8},    // FUNC_PROTO
                              {4, 0},    // VAR
                              {0, 12},   // DATASEC
                              {0, 0},    // FLOAT
                              {4, 0},    // DECL_TAG
                              {0, 0},    // TYPE_TAG
                              {0, 12}};  // ENUM64

}  // namespace

std::optional<BtfTypes> BtfTypes::parse(std::vector<u8> bytes) {
  BtfTypes types(std::move(bytes));
  const std::size_t size = types.bytes_.size();
  if (size < kHeaderBytes || read_unaligned<u16>(types.bytes_.data()) != kMagic) return std::nullopt;
  const u64 header = types.word(4);
  const u64 types_begin = header + types.word(8);
  const u64 types_end = types_begin + types.word(12);
  const u64 strings_begin = header + types.word(16);
  const u64 strings_end = strings_begin + types.word(20);
  if (types_end > size || strings_end > size) return std::nullopt;
  types.strings_begin_ = strings_begin;
  types.strings_end_ = strings_end;
  if (!types.read_types(types_begin, types_end)) return std::nullopt;
  return types;
}

bool BtfTypes::read_types(std::size_t begin, std::size_t end) {
  types_.emplace_back();
  while (end - begin >= kTypeBytes) {
    Type type{word(begin), word(begin + 4), word(begin + 8), begin + kTypeBytes};
    if (type.kind() >= std::size(kBehind)) return false;
    const Behind behind = kBehind[type.kind()];
    const std::size_t bytes = kTypeBytes + behind.once + std::size_t{behind.each} * type.count();
    if (bytes > end - begin) return false;
    types_.push_back(type);
    begin += bytes;
  }
  return begin == end;
}

u32 BtfTypes::word(std::size_t at) const { return read_unaligned<u32>(bytes_.data() + at); }

std::string_view BtfTypes::text(u32 offset) const {
  if (offset >= strings_end_ - strings_begin_) return {};
  const char* const begin = reinterpret_cast<const char*>(bytes_.data()) + strings_begin_ + offset;
  const std::string_view rest(begin, strings_end_ - strings_begin_ - offset);
  return rest.substr(0, rest.find('\0'));
}

std::optional<u64> BtfTypes::offset_of(std::string_view structure, std::string_view member) const {
  unsigned looks = kMaxLooks;
  for (const Type& type : types_)
    if (type.kind() == kStruct && text(type.name) == structure) return member_of(type, member, 0, looks);
  return std::nullopt;
}

std::optional<u64> BtfTypes::size_of(std::string_view structure) const {
  for (const Type& type : types_)
    if (type.kind() == kStruct && text(type.name) == structure) return type.size_or_type;
  return std::nullopt;
}

std::optional<u64> BtfTypes::member_of(const Type& type, std::string_view member, unsigned depth,
                                       unsigned& looks) const {
  if (depth == kDeepest) return std::nullopt;
  const bool bit_fields = (type.info & kHasBitFields) != 0;
  for (u32 i = 0; i < type.count() && looks > 0; ++i, --looks) {
    const std::size_t at = type.behind + i * kMemberBytes;
    const std::string_view name = text(word(at));
    const u32 place = word(at + 8);
    const u32 bit = bit_fields ? place & 0xff'ffff : place;
    const bool is_whole = bit % 8 == 0 && (!bit_fields || place >> 24 == 0);
    if (name == member) return is_whole ? std::optional<u64>(bit / 8) : std::nullopt;
    const u32 inner = word(at + 4);
    if (!name.empty() || !is_whole || inner >= types_.size()) continue;
    const Type& part = types_[inner];
    if (part.kind() != kStruct && part.kind() != kUnion) continue;
    if (const std::optional<u64> within = member_of(part, member, depth + 1, looks)) return bit / 8 + *within;
  }
  return std::nullopt;
}

}  // namespace reprise::machine::symbols
