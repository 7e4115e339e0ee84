// Names: QEMU, "CPU models" in its manual, and `qemu-system-x86_64 -cpu help`. What each has: the manuals of its vendor,
// as far as it is there to be chosen.
#include "cpu/profile/cpu_names.h"

#include <algorithm>
#include <initializer_list>

#include "common/words.h"

namespace reprise::cpu {
namespace {

struct Names {
  std::string_view names;  // with spaces around each
  std::string_view nearest;
};

// clang-format off
constexpr Names kNames[] = {
    {" 486 pentium pentium2 pentium3 athlon qemu32 kvm32 coreduo n270 base ", "x86-64"},
    {" qemu64 kvm64 ", "x86-64,+sse3,+cx16"},
    {" core2duo Conroe ", "x86-64,+sse3,+ssse3,+cx16,+lahf-lm"},
    {" Penryn ", "x86-64,+sse3,+ssse3,+sse4-1,+cx16,+lahf-lm"},
    {" phenom Opteron_G1 Opteron_G2 Opteron_G3 ", "x86-64,+sse3,+cx16,+lahf-lm,vendor=amd"},
    {" Nehalem ", "x86-64-v2"},
    {" Westmere Denverton Snowridge ", "x86-64-v2,+aes,+pclmulqdq"},
    {" SandyBridge ", "x86-64-v2,+aes,+pclmulqdq,+xsave,+avx"},
    {" IvyBridge ", "x86-64-v2,+aes,+pclmulqdq,+xsave,+avx,+f16c,+rdrand,+fsgsbase,+smep,+erms"},
    {" Opteron_G4 Opteron_G5 ", "x86-64-v2,+aes,+pclmulqdq,+xsave,+avx,vendor=amd"},
    {" Haswell ", "x86-64-v3,+aes,+pclmulqdq,+rdrand,+fsgsbase,+smep,+erms,+pcid,+invpcid"},
    {" Broadwell KnightsMill Skylake-Client Skylake-Server Cascadelake-Server Cooperlake Icelake-Client Icelake-Server "
     "TigerLake AlderLake SapphireRapids GraniteRapids SierraForest ClearwaterForest YongFeng host ", "default"},
    {" EPYC EPYC-Rome EPYC-Milan EPYC-Genoa EPYC-Bergamo EPYC-Turin Dhyana ", "default,vendor=amd"},
};
// clang-format on

/// In small letters, without what QEMU puts behind a name: "-v2", "-noTSX-IBRS".
std::string core_of(std::string_view name) {
  std::string out = in_small_letters(name);
  std::ranges::replace(out, '_', '-');
  const std::size_t version = out.rfind("-v");
  if (version != out.npos && version + 2 < out.size() &&
      out.find_first_not_of("0123456789", version + 2) == out.npos)
    out.resize(version);
  for (const std::string_view ending : {"-ibrs", "-ibpb", "-notsx"})
    if (out.ends_with(ending)) out.resize(out.size() - ending.size());
  return out;
}

}  // namespace

std::optional<std::string> with_nearest_model(std::string_view text) {
  const std::string_view name = text.substr(0, text.find(','));
  const std::string_view rest = text.substr(name.size());
  const std::string wanted = core_of(name);
  const auto* row = std::ranges::find_if(kNames, [&](const Names& names) {
    return std::ranges::any_of(words_between(names.names, " "),
                               [&](std::string_view one) { return !one.empty() && core_of(one) == wanted; });
  });
  if (row == std::end(kNames)) return std::nullopt;
  // What the user says of a word of ours counts.
  std::string out;
  for (const std::string_view word : words_between(row->nearest, ",")) {
    const bool feature = word.starts_with('+');
    const std::string_view bare = feature ? word.substr(1) : word.substr(0, word.find('='));
    const auto overrules = [&](std::string_view given) {
      return feature ? given == std::string("-").append(bare) || given == std::string(bare).append("=off")
                     : given.starts_with(std::string(bare).append("="));
    };
    if (std::ranges::any_of(words_between(rest, ","), overrules)) continue;
    out += (out.empty() ? "" : ",") + std::string(word);
  }
  return out + std::string(rest);
}

std::vector<std::string_view> names_of_qemu_models() {
  std::vector<std::string_view> out;
  for (const Names& names : kNames)
    for (const std::string_view name : words_between(names.names, " "))
      if (!name.empty()) out.push_back(name);
  return out;
}

}  // namespace reprise::cpu
