// What commands of QMP take and give, in one line each, from which their arguments are checked and query-qmp-schema is answered.
//
//     "id:str, force?:bool"       members of an object; those with '?' may be missing
//     "driver:str, ..."           others are taken, too
//     "[BlockInfo]"               an array; "StatusInfo": a type of the table in qmp_schema.cpp
//     ""                          an object without members
//
// QEMU, "QEMU QMP Reference Manual", "QMP introspection".
#pragma once

#include <string_view>
#include <vector>

#include "common/result.h"
#include "machine/monitor/command.h"

namespace reprise::machine::monitor {

/// Error: what is missing, not expected or of another type, a sentence without a full stop as QEMU has them.
Result<Done> check_qmp_arguments(std::string_view members, const Json& arguments);
/// Of qmp_commands() and all events, with the types that they name.
Json qmp_schema();
std::vector<std::string_view> qmp_event_names();

}  // namespace reprise::machine::monitor
