// SourcePlaces: file and line of "symbol+offset", as a kernel's messages name places of its image and of its modules, by DWARF.
//
// Threads: one at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/types.h"

namespace reprise::machine::symbols {

class SourcePlaces {
 public:
  /// `image` is the kernel's vmlinux (empty: none), `modules` a folder below which modules lie as NAME.ko (empty: none). What is not there, or has no DWARF, has no lines. Both may be anybody's.
  SourcePlaces(std::string image, const std::string& modules);
  ~SourcePlaces();
  SourcePlaces(const SourcePlaces&) = delete;
  SourcePlaces& operator=(const SourcePlaces&) = delete;

  /// "kernel/panic.c:318"; empty: not known. `module` is empty for the image.
  std::string line_of(std::string_view symbol, u64 offset, std::string_view module);

 private:
  struct Files;
  std::unique_ptr<Files> files_;
};

}  // namespace reprise::machine::symbols
