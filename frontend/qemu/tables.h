// What clients of QMP ask about the program that their command line started: this folder's tables, and what the command line named.
#pragma once

#include <memory>

#include "frontend/qemu/draft.h"
#include "machine/monitor/emulator_tables.h"

namespace reprise::frontend::qemu {

/// Of a translated command line. Names of files that were found only when they were opened are the caller's to add.
std::shared_ptr<machine::monitor::EmulatorTables> tables_of(const Draft& draft);

// --- Tables of this folder, by file ---
/// machine_rows.cpp: boards, and their types and those of accelerators.
std::vector<machine::monitor::EmulatorTables::Board> boards();
std::vector<machine::monitor::EmulatorTables::Type> machine_types();
/// plug.cpp: devices that are taken, with their properties; objects.
std::vector<machine::monitor::EmulatorTables::Type> device_types();
std::vector<machine::monitor::EmulatorTables::Type> object_types();

}  // namespace reprise::frontend::qemu
