// SourceLines: where code comes from, by the DWARF of an ELF file such as a kernel's vmlinux.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::machine::symbols {

/// Addresses are linear, as the file was linked; an end lies behind the last byte.
struct SourceLines {
  struct Line {
    u64 begin = 0;
    u64 end = 0;
    u32 file = 0;  // index
    u32 line = 0;
  };
  struct Function {
    u64 begin = 0;
    u64 end = 0;
    u32 file = 0;
    u32 line = 0;
    std::string name;
  };
  std::vector<std::string> files;
  std::vector<Line> lines;  // one of the source may have several
  std::vector<Function> functions;
};

/// The regular file at `path` has some. Its content may be anybody's. Error: the end of a sentence that begins with the file.
Result<Done> check_source_lines(const std::string& path);
/// All of them: seconds, for a kernel.
Result<SourceLines> read_source_lines(const std::string& path);

}  // namespace reprise::machine::symbols
