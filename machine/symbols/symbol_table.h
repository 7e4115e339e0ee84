// SymbolTable: names of addresses as a kernel was linked, from a file of the user's. What of it the guest runs, and where, is
// KernelSymbols' to say.
//
// Threads: any, once it is finished.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise::machine::symbols {

class SymbolTable {
 public:
  /// Which of several names of one address is shown: the last of these.
  enum class Kind : u8 { Label, Local, Weak, Global };

  /// `path` is the file's, as the user gave it.
  explicit SymbolTable(std::string path) : path_(std::move(path)) {}

  /// One more. Names that no compiler makes (blanks, control characters, longer than 512) are left out.
  void add(u64 linear, std::string_view name, Kind kind);
  /// The kernel's own description of its types (BTF), if the file has it.
  void add_types(std::vector<u8> btf) { btf_ = std::move(btf); }
  /// There are no more. Before anything is asked.
  void finish();

  const std::string& path() const { return path_; }
  /// An ELF file, which debuggers read as well.
  bool is_elf() const { return is_elf_; }
  void set_elf() { is_elf_ = true; }
  bool empty() const { return all_.empty(); }
  std::size_t count() const { return all_.size(); }
  std::span<const u8> types() const { return btf_; }

  std::optional<u64> address_of(std::string_view name) const;
  struct Place {
    std::string_view name;
    u64 distance;  // from where the name is
  };
  /// What lies at `linear`, or begins before it.
  std::optional<Place> find(u64 linear) const;
  /// It lies in the kernel's image: from _text (_stext) to _end where those are known. Not in a module, and no per-CPU offset.
  bool in_image(u64 linear) const { return linear >= image_begin_ && linear < image_end_; }

 private:
  struct Symbol {
    u64 linear;
    u32 name_at;  // in names_
    u16 name_bytes;
    Kind kind;
  };
  std::string_view name_of(const Symbol& symbol) const {
    return std::string_view(names_).substr(symbol.name_at, symbol.name_bytes);
  }

  std::string path_;
  bool is_elf_ = false;
  std::string names_;         // one behind the other
  std::vector<Symbol> all_;   // by address; of one address the best name last
  std::vector<u32> by_name_;  // indices
  std::vector<u8> btf_;
  u64 image_begin_ = 0;
  u64 image_end_ = ~u64{0};
};

}  // namespace reprise::machine::symbols
