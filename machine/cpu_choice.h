// Processors by name, for the command line: cpu/profile/cpu_model.h.
#pragma once

#include "cpu/profile/cpu_model.h"

namespace reprise::machine {

using cpu::cpu_model_help;
using cpu::parse_cpu_model;

}  // namespace reprise::machine
