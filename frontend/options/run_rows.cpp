#include "frontend/options/run_rows.h"

namespace reprise::frontend {

std::span<const OptionGroup<RunDraft>> run_option_groups() {
  static const OptionGroup<RunDraft> kGroups[] = {
      {"What to boot", "", boot_rows()},
      {"Disks",
       "format and bus are found by themselves; what the guest writes is gone with the run unless asked for",
       disk_rows()},
      {"The machine", "", machine_rows()},
      {"The network", "", net_rows()},
      {"Processors", "", processor_rows()},
      {"The run", "", limit_rows()},
      {"The translating engine", "nothing of this can be seen by the guest", jit_rows()},
      {"What it tells", "", report_rows()},
  };
  return kGroups;
}

}  // namespace reprise::frontend
