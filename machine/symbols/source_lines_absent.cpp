// In a build without libdw.
#include "machine/symbols/source_lines.h"

namespace reprise::machine::symbols {

Result<Done> check_source_lines(const std::string&) {
  return Error{
      "cannot be asked for source lines: this reprise was built without libdw (Debian's package libdw-dev)"};
}

Result<SourceLines> read_source_lines(const std::string& path) {
  TRY(check_source_lines(path));
  return SourceLines{};
}

}  // namespace reprise::machine::symbols
