// A saved state as a stream of named sections; what is in them is their owners' affair.
//
//     "reprise state\n"  format: u32
//     section:  name (8 bytes, zeros behind it)  chunks: {bytes: u32, not 0; the bytes}  0: u32  digest: u64
//
// Little-endian. The digest finds damage; that a section is well-formed does not make it true, so whoever reads one
// checks every number in it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::machine {

/// Where the bytes go.
class StateSink {
 public:
  virtual ~StateSink() = default;
  /// All of them, or false.
  virtual bool write(std::span<const u8> bytes) = 0;
  /// Nothing more comes.
  virtual bool end() { return true; }
};

/// Where they come from.
class StateSource {
 public:
  virtual ~StateSource() = default;
  /// As many as asked for, or false: there are no more, or they cannot be read.
  virtual bool read(std::span<u8> into) = 0;
  /// All has been read, and nothing is missing that belongs to it.
  virtual bool ends() {
    u8 more = 0;
    return !read({&more, 1});
  }
};

/// What a stream begins with.
inline constexpr std::string_view kStateHead = "reprise state\n";
/// The format this program writes, and the only one that it reads.
inline constexpr u32 kStateFormat = 9;

class StateWriter {
 public:
  /// Writes the head. `sink` outlives this.
  explicit StateWriter(StateSink& sink);

  /// `name` has at most 8 characters.
  void begin(std::string_view name);
  void bytes(std::span<const u8> from);
  void number(u64 value);
  void text(std::string_view text);
  void end();

  /// False once the sink has refused, or somebody else who writes a part; everything later is dropped.
  bool ok() const { return ok_; }
  void fail() { ok_ = false; }

 private:
  void put(std::span<const u8> bytes);
  void put_chunk();

  StateSink& sink_;
  std::vector<u8> chunk_;
  u64 digest_ = 0;
  bool ok_ = true;
};

/// After the first problem it gives zeros and keeps the sentence about it.
class StateReader {
 public:
  /// Reads the head. `source` outlives this.
  explicit StateReader(StateSource& source);

  void begin(std::string_view name);
  void bytes(std::span<u8> into);
  u64 number();
  /// May hold anything, at most `limit` bytes.
  std::string text(u64 limit);
  /// Nothing may be left of the section.
  void end();
  /// All that is left of the section, at most `limit` bytes.
  std::vector<u8> rest(u64 limit);

  /// Nothing may follow the last section.
  void finish();

  /// Of all sections so far.
  u64 digest() const { return whole_digest_; }

  bool ok() const { return problem_.empty(); }
  /// What is wrong, from somebody who looked at the content. The first word counts.
  void fail(std::string problem);
  Result<Done> result() const;

 private:
  bool get(std::span<u8> into);
  /// More of the section is in chunk_, or it is over.
  bool next_chunk();

  StateSource& source_;
  std::vector<u8> chunk_;
  std::size_t position_ = 0;  // in chunk_
  bool at_end_ = true;        // no chunk of the section is to come
  u64 digest_ = 0;
  u64 whole_digest_ = 0;
  std::string problem_;
};

}  // namespace reprise::machine
