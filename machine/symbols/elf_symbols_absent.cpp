// In a build without libelf.
#include "machine/symbols/elf_symbols.h"

namespace reprise::machine::symbols {

Result<Done> add_elf_symbols(SymbolTable&, const std::string&, u64) {
  return Error{
      "is an ELF file, and this reprise was built without libelf: give a System.map, or build it with "
      "Debian's "
      "package libelf-dev"};
}

}  // namespace reprise::machine::symbols
