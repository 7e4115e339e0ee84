// The symbol table of an ELF file, by libelf.
#pragma once

#include "common/result.h"
#include "machine/symbols/symbol_table.h"

namespace reprise::machine::symbols {

/// Adds what the ELF file at `path`, of `bytes`, has: symbols, and the types of a kernel. The file may be anybody's. Error: the
/// end of a sentence that begins with the file.
Result<Done> add_elf_symbols(SymbolTable& table, const std::string& path, u64 bytes);

}  // namespace reprise::machine::symbols
