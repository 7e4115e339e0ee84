// Names of guest addresses, from a System.map or the output of nm.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::jit {

class Symbols {
 public:
  /// Lines "address type name"; others are left out. Empty path: no names.
  static Result<Symbols> load(const std::string& path);

  /// "name+0x12", or "0xaddress" when it has no name.
  std::string name(u64 linear) const;

 private:
  struct Symbol {
    u64 linear;
    std::string name;
  };
  std::vector<Symbol> sorted_;
};

}  // namespace reprise::jit
