// Files that name the addresses of a kernel: ELF with a symbol table (vmlinux), or lines as of System.map, nm and
// /proc/kallsyms.
#pragma once

#include <memory>

#include "common/result.h"
#include "machine/symbols/symbol_table.h"

namespace reprise::machine::symbols {

/// What the regular file at `path` names. Its content may be anybody's. Error: it cannot be read, or names nothing.
Result<std::shared_ptr<const SymbolTable>> load_symbols(const std::string& path);

}  // namespace reprise::machine::symbols
