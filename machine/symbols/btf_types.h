// BtfTypes: where members lie in structures of a Linux kernel, by the description of its types that it carries with it: BTF, the
// kernel's Documentation/bpf/btf.rst. The bytes may be anybody's.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise::machine::symbols {

class BtfTypes {
 public:
  /// Nothing: that is no BTF, or damaged.
  static std::optional<BtfTypes> parse(std::vector<u8> bytes);

  /// The offset, in bytes, of `member` in `struct structure`, also when it lies in a nameless part of it. Nothing: there is no such
  /// member, or it is a bit field.
  std::optional<u64> offset_of(std::string_view structure, std::string_view member) const;
  /// The size of `struct structure`, in bytes.
  std::optional<u64> size_of(std::string_view structure) const;

 private:
  struct Type {
    u32 name = 0;  // an offset in the strings
    u32 info = 0;
    u32 size_or_type = 0;
    std::size_t behind = 0;  // what follows it, in bytes_
    unsigned kind() const { return info >> 24 & 0x1f; }
    u32 count() const { return info & 0xffff; }
  };
  explicit BtfTypes(std::vector<u8> bytes) : bytes_(std::move(bytes)) {}
  bool read_types(std::size_t begin, std::size_t end);
  std::string_view text(u32 offset) const;
  u32 word(std::size_t at) const;
  std::optional<u64> member_of(const Type& type, std::string_view member, unsigned depth,
                               unsigned& looks) const;

  std::vector<u8> bytes_;
  std::size_t strings_begin_ = 0;
  std::size_t strings_end_ = 0;
  std::vector<Type> types_;  // by number; 0 is void
};

}  // namespace reprise::machine::symbols
