// Commands of QMP by file; their rows are in qmp_commands.cpp.
#pragma once

#include <string>
#include <string_view>

#include "machine/monitor/monitor.h"

namespace reprise::machine::monitor {

// --- For handlers ---
inline Outcome answer_of(Json json) {
  Answer answer;
  answer.json = std::move(json);
  return answer;
}
inline CommandError failed(std::string message) { return {CommandError::Kind::Failed, std::move(message)}; }
/// A member that is a string; empty when it is missing or something else.
std::string text_in(const Json& arguments, std::string_view name);
bool is_true_in(const Json& arguments, std::string_view name);

// qmp_emulator.cpp: what there is, whatever machine was asked for.
Outcome query_machines(Monitor&, const Json&);
Outcome query_cpu_definitions(Monitor&, const Json&);
Outcome query_cpu_model_expansion(Monitor&, const Json&);
Outcome query_command_line_options(Monitor&, const Json&);
Outcome qom_list_types(Monitor&, const Json&);
Outcome list_properties(Monitor&, const Json&);
Outcome query_events(Monitor&, const Json&);

// qmp_block.cpp: disks.
Outcome query_block(Monitor&, const Json&);
Outcome query_named_block_nodes(Monitor&, const Json&);
Outcome query_blockstats(Monitor&, const Json&);
/// Our name of the drive that a client names in `arguments`, by whatever QEMU calls it.
std::string drive_of(Monitor& monitor, const Json& arguments);

// qmp_parts.cpp: parts of this machine that its command line named.
Outcome query_chardev(Monitor&, const Json&);
Outcome query_iothreads(Monitor&, const Json&);
Outcome query_memdev(Monitor&, const Json&);
Outcome query_mice(Monitor&, const Json&);
Outcome query_name(Monitor&, const Json&);
Outcome qom_list(Monitor&, const Json&);

// qmp_jobs.cpp: what takes its time on QEMU.
Outcome dump_guest_memory_to(Monitor&, const Json&);
Outcome query_dump(Monitor&, const Json&);
Outcome query_dump_capability(Monitor&, const Json&);
Outcome snapshot_save(Monitor&, const Json&);
Outcome snapshot_load(Monitor&, const Json&);
Outcome snapshot_delete(Monitor&, const Json&);
Outcome query_jobs(Monitor&, const Json&);
Outcome job_dismiss(Monitor&, const Json&);

}  // namespace reprise::machine::monitor
