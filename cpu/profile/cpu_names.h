// Processors as users of QEMU name them, and the nearest that there is here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reprise::cpu {

/// `text`, a value of --cpu, with the processor that it names replaced by ours: "EPYC-v2,-smap" is
/// "default,vendor=amd,-smap". nullopt: it names none of QEMU's.
std::optional<std::string> with_nearest_model(std::string_view text);
/// Those that it takes, as QEMU writes them.
std::vector<std::string_view> names_of_qemu_models();

}  // namespace reprise::cpu
