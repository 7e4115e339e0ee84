// Processors by name: "x86-64-v2,+aes,-smap,vendor=amd" to a profile, or to one sentence about what is wrong with it.
// Names of features are those of /proc/cpuinfo and of QEMU; '-', '_' and '.' are the same in them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "cpu/profile/cpuid.h"

namespace reprise::cpu {

/// MODEL, then +FEATURE, -FEATURE, vendor=intel|amd and tlb=ENTRIES, with commas between them; without a model the
/// default one.
Result<CpuProfile> parse_cpu_model(std::string_view text);

/// What may stand behind a model, for completion: "+aes -aes ... vendor=intel".
std::string words_behind_model();

/// Names of models, without what may stand behind them.
std::vector<std::string_view> cpu_model_names();
/// A feature that can be chosen, by one of its names.
struct NamedFeature {
  std::string name;
  bool has;
};
/// Those of `profile`, by all their names.
std::vector<NamedFeature> named_features(const CpuProfile& profile);

/// The models and features there are, for a person.
std::string cpu_model_help();

}  // namespace reprise::cpu
