// Archive: one symmetric serializer for saving, loading and hashing state.
// A class writes `void serialize(Archive& ar) { ar.value(a_); ar.value(b_); }` once; the same list
// saves and loads, so a field cannot be forgotten on one side. State is little-endian bytes without
// padding: only integers, enums, bools and arrays of them go in, never whole structs.
#pragma once

#include <array>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "common/bits.h"
#include "common/types.h"

namespace reprise {

class Archive {
 public:
  /// An archive that appends to its own buffer.
  Archive() = default;
  /// An archive that reads `input`, which must outlive it.
  explicit Archive(std::span<const u8> input) : input_(input), loading_(true) {}

  bool loading() const { return loading_; }
  /// False once a load ran past the end or met a wrong tag; later loads then leave values unchanged.
  bool ok() const { return ok_; }
  void fail() { ok_ = false; }
  std::span<const u8> bytes() const { return buffer_; }
  /// A load has read everything.
  bool at_end() const { return position_ == input_.size(); }

  template <class T>
  requires(std::is_integral_v<T> || std::is_enum_v<T>) void value(T& field) { raw(&field, sizeof(T)); }
  void value(bool& field) {
    u8 byte = field ? 1 : 0;
    raw(&byte, 1);
    field = byte != 0;
  }
  /// An enumerator, index or count of at most `last`. A load refuses others and leaves the field as it was.
  template <class T>
  void at_most(T& field, std::type_identity_t<T> last) {
    T found = field;
    value(found);
    if (found > last) return fail();
    field = found;
  }
  template <class T, std::size_t N>
  void value(std::array<T, N>& field) {
    for (T& element : field) value(element);
  }
  template <class T, std::size_t N>
  void value(T (&field)[N]) {
    for (T& element : field) value(element);
  }
  /// A vector of integers, its length first. A load refuses lengths beyond `max_elements`.
  template <class T>
  void value(std::vector<T>& field, u64 max_elements = 1u << 26) {
    u64 count = field.size();
    value(count);
    if (loading_) {
      // Not more than there can be: a wrong number must not take the host's memory.
      if (!ok_ || count > max_elements || count > (input_.size() - position_) / sizeof(T)) return fail();
      field.resize(count);
    }
    for (T& element : field) value(element);
  }
  /// A name that must read back equal: catches lists that went out of step.
  void tag(std::string_view name) {
    u64 expected = 0xcbf29ce484222325;
    for (char c : name) expected = (expected ^ static_cast<u8>(c)) * 0x100000001b3;
    u64 found = expected;
    value(found);
    if (found != expected) fail();
  }
  /// Raw bytes of fixed length.
  void raw(void* data, std::size_t size) {
    if (!loading_) {
      const u8* begin = static_cast<const u8*>(data);
      buffer_.insert(buffer_.end(), begin, begin + size);
      return;
    }
    if (!ok_ || input_.size() - position_ < size) return fail();
    std::memcpy(data, input_.data() + position_, size);
    position_ += size;
  }

 private:
  std::vector<u8> buffer_;
  std::span<const u8> input_;
  std::size_t position_ = 0;
  bool loading_ = false;
  bool ok_ = true;
};

}  // namespace reprise
