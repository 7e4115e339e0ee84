// Messages of 9P2000.L as bytes: size[4] type[1] tag[2] and fields, little-endian. A string is its length[2] and its bytes.
// (Plan 9 manual, section 5; the messages of ".L" as Linux's include/net/9p/9p.h and diod's documents list them.)
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise::devices::p9 {

inline constexpr u32 kHeaderBytes = 7;
inline constexpr u32 kErrorBytes = kHeaderBytes + 4;

/// Requests; the reply of each is the next number.
enum class Type : u8 {
  Lerror = 6,
  Statfs = 8,
  Lopen = 12,
  Lcreate = 14,
  Symlink = 16,
  Mknod = 18,
  Rename = 20,
  Readlink = 22,
  Getattr = 24,
  Setattr = 26,
  Xattrwalk = 30,
  Xattrcreate = 32,
  Readdir = 40,
  Fsync = 50,
  Lock = 52,
  Getlock = 54,
  Link = 70,
  Mkdir = 72,
  Renameat = 74,
  Unlinkat = 76,
  Version = 100,
  Auth = 102,
  Attach = 104,
  Flush = 108,
  Walk = 110,
  Read = 116,
  Write = 118,
  Clunk = 120,
  Remove = 122,
};

struct Header {
  u32 size = 0;
  u8 type = 0;
  u16 tag = 0;
};
/// Of the first kHeaderBytes of `bytes`.
Header read_header(std::span<const u8> bytes);

struct Qid {
  static constexpr u8 kFolder = 0x80;
  static constexpr u8 kLink = 0x02;
  static constexpr u32 kBytes = 13;
  u8 type = 0;
  u64 number = 0;  // "path" in the protocol
};
Qid qid_of(u32 mode, u64 number);

/// Reads fields. What is not there reads as 0, and ok() is false from then on.
class Reader {
 public:
  explicit Reader(std::span<const u8> bytes) : rest_(bytes) {}
  u64 number(unsigned bytes);
  u8 take8() { return static_cast<u8>(number(1)); }
  u16 take16() { return static_cast<u16>(number(2)); }
  u32 take32() { return static_cast<u32>(number(4)); }
  u64 take64() { return number(8); }
  std::string string();
  std::span<const u8> bytes(u32 count);
  bool ok() const { return ok_; }
  /// Everything was there, and nothing more is.
  bool complete() const { return ok_ && rest_.empty(); }
  std::size_t left() const { return rest_.size(); }

 private:
  std::span<const u8> rest_;
  bool ok_ = true;
};

/// Writes a reply of up to `room` bytes, header included.
class Writer {
 public:
  explicit Writer(u32 room) : room_(room), bytes_(kHeaderBytes) {}
  void number(u64 value, unsigned bytes);
  void put8(u64 value) { number(value, 1); }
  void put16(u64 value) { number(value, 2); }
  void put32(u64 value) { number(value, 4); }
  void put64(u64 value) { number(value, 8); }
  void string(std::string_view text);
  void bytes(std::span<const u8> bytes);
  void qid(const Qid& qid);
  /// How much more there is room for.
  u32 left() const { return room_ > bytes_.size() ? room_ - static_cast<u32>(bytes_.size()) : 0; }
  std::size_t size() const { return bytes_.size(); }
  /// Writes over what was put at `at`.
  void patch32(std::size_t at, u32 value);
  bool ok() const { return ok_; }
  /// The whole message.
  std::vector<u8> finish(u8 type, u16 tag) &&;

 private:
  const u32 room_;
  std::vector<u8> bytes_;
  bool ok_ = true;
};

/// Rlerror.
std::vector<u8> error_reply(u16 tag, u32 error);

/// Whether a file in a folder can be called so.
bool is_name(std::string_view name);
inline constexpr std::size_t kMaxNameBytes = 255;

}  // namespace reprise::devices::p9
