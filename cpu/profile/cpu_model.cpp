#include "cpu/profile/cpu_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>
#include <vector>

#include "common/nearest.h"
#include "common/words.h"

namespace reprise::cpu {
namespace {

using FeatureSet = std::bitset<static_cast<std::size_t>(Feature::Count)>;
using enum Feature;

bool contains(const FeatureSet& set, Feature feature) { return set.test(static_cast<std::size_t>(feature)); }
void change(FeatureSet& set, Feature feature, bool on) { set.set(static_cast<std::size_t>(feature), on); }
FeatureSet set_of(std::initializer_list<Feature> list) {
  FeatureSet set;
  for (const Feature feature : list) change(set, feature, true);
  return set;
}

// --- Features ---

enum class Choice : u8 {
  Always,   // part of x86-64
  Free,     // may be left out
  Missing,  // known, not implemented
};

struct FeatureRow {
  Feature feature;
  Choice choice;
  std::string_view name;
  std::string_view other_names;  // separated by spaces
};

constexpr FeatureRow kFeatures[] = {
    {Fpu, Choice::Always, "fpu", ""},
    {Tsc, Choice::Always, "tsc", ""},
    {Msr, Choice::Always, "msr", ""},
    {Cx8, Choice::Always, "cx8", ""},
    {Sep, Choice::Always, "sep", ""},
    {Pge, Choice::Always, "pge", ""},
    {Cmov, Choice::Always, "cmov", ""},
    {Clflush, Choice::Always, "clflush", ""},
    {Mmx, Choice::Always, "mmx", ""},
    {Fxsr, Choice::Always, "fxsr", ""},
    {Sse, Choice::Always, "sse", ""},
    {Sse2, Choice::Always, "sse2", ""},
    {Syscall, Choice::Always, "syscall", ""},
    {LongMode, Choice::Always, "lm", ""},
    {Sse3, Choice::Free, "sse3", "pni"},
    {Ssse3, Choice::Free, "ssse3", ""},
    {Sse41, Choice::Free, "sse4-1", "sse4_1 sse41"},
    {Sse42, Choice::Free, "sse4-2", "sse4_2 sse42"},
    {Cx16, Choice::Free, "cx16", ""},
    {Popcnt, Choice::Free, "popcnt", ""},
    {LahfLm, Choice::Free, "lahf-lm", ""},
    {Lzcnt, Choice::Free, "lzcnt", "abm"},
    {Movbe, Choice::Free, "movbe", ""},
    {Bmi1, Choice::Free, "bmi1", ""},
    {Bmi2, Choice::Free, "bmi2", ""},
    {Avx, Choice::Free, "avx", ""},
    {Avx2, Choice::Free, "avx2", ""},
    {Fma, Choice::Free, "fma", ""},
    {F16c, Choice::Free, "f16c", ""},
    {Vaes, Choice::Free, "vaes", ""},
    {Vpclmulqdq, Choice::Free, "vpclmulqdq", ""},
    {Aes, Choice::Free, "aes", "aes-ni"},
    {Pclmulqdq, Choice::Free, "pclmulqdq", "pclmul"},
    {Sha, Choice::Free, "sha-ni", "sha"},
    {Adx, Choice::Free, "adx", ""},
    {Rdrand, Choice::Free, "rdrand", ""},
    {Rdseed, Choice::Free, "rdseed", ""},
    {Clflushopt, Choice::Free, "clflushopt", ""},
    {Clwb, Choice::Free, "clwb", ""},
    {Prefetchw, Choice::Free, "3dnowprefetch", "prefetchw"},
    {Movdiri, Choice::Missing, "movdiri", ""},
    {Serialize, Choice::Free, "serialize", ""},
    {Erms, Choice::Free, "erms", ""},
    {Fsrm, Choice::Free, "fsrm", ""},
    {Xsave, Choice::Free, "xsave", ""},
    {Xsaveopt, Choice::Free, "xsaveopt", ""},
    {Xsavec, Choice::Free, "xsavec", ""},
    {XgetbvEcx1, Choice::Free, "xgetbv1", ""},
    {Xsaves, Choice::Free, "xsaves", ""},
    {Fsgsbase, Choice::Free, "fsgsbase", ""},
    {Rdtscp, Choice::Free, "rdtscp", ""},
    {Rdpid, Choice::Free, "rdpid", ""},
    {Nx, Choice::Free, "nx", ""},
    {Pdpe1gb, Choice::Free, "pdpe1gb", ""},
    {La57, Choice::Free, "la57", ""},
    {Pcid, Choice::Free, "pcid", ""},
    {Invpcid, Choice::Free, "invpcid", ""},
    {Smep, Choice::Free, "smep", ""},
    {Smap, Choice::Free, "smap", ""},
    {Umip, Choice::Free, "umip", ""},
    {Pku, Choice::Missing, "pku", ""},
    {X2apic, Choice::Free, "x2apic", ""},
    {TscDeadline, Choice::Free, "tsc-deadline", "tsc_deadline_timer"},
    {SpecCtrl, Choice::Free, "spec-ctrl", "ibrs ibpb stibp ssbd"},
    {BhiCtrl, Choice::Free, "bhi-ctrl", ""},
    {ArchCapabilities, Choice::Free, "arch-capabilities", ""},
    {Pmu, Choice::Free, "pmu", "arch-perfmon pdcm"},
    {Monitor, Choice::Missing, "monitor", "mwait"},
    {Monitorx, Choice::Missing, "monitorx", "mwaitx"},
    {Wbnoinvd, Choice::Missing, "wbnoinvd", ""},
};

struct Need {
  Feature feature, needs;
};
// clang-format off
constexpr Need kNeeds[] = {
    {Ssse3, Sse3},     {Sse41, Ssse3},    {Sse42, Sse41},     {Avx, Xsave},        {Avx, Sse42},
    {Avx2, Avx},       {Fma, Avx},        {F16c, Avx},        {Vaes, Avx},         {Vaes, Aes},
    {Vpclmulqdq, Avx}, {Xsaveopt, Xsave}, {Xsavec, Xsave},    {XgetbvEcx1, Xsave}, {Xsaves, Xsavec},
    {Pku, Xsave},      {Invpcid, Pcid},   {BhiCtrl, SpecCtrl}, {Vpclmulqdq, Pclmulqdq},
};
// clang-format on

/// What processors of AMD do not have.
constexpr Feature kIntelOnly[] = {SpecCtrl, BhiCtrl, ArchCapabilities, Serialize, Pmu};

// --- Models ---

FeatureSet missing_features() {
  FeatureSet set;
  for (const FeatureRow& row : kFeatures) change(set, row.feature, row.choice == Choice::Missing);
  return set;
}

/// x86-64 psABI levels, with what every PC of the time has for its kernel: NX, x2APIC, the TSC deadline, performance
/// counters, and the word that speculation leaks nothing.
FeatureSet level1() {
  return set_of({Fpu, Tsc,  Msr,     Cx8,      Sep, Pge,    Cmov,        Clflush,  Mmx,     Fxsr,
                 Sse, Sse2, Syscall, LongMode, Nx,  X2apic, TscDeadline, SpecCtrl, BhiCtrl, ArchCapabilities,
                 Pmu});
}
FeatureSet level2() { return level1() | set_of({Sse3, Ssse3, Sse41, Sse42, Cx16, Popcnt, LahfLm}); }
FeatureSet level3() { return level2() | set_of({Avx, Avx2, Bmi1, Bmi2, F16c, Fma, Lzcnt, Movbe, Xsave}); }
FeatureSet default_features() {
  return level3() |
         set_of({Aes,       Pclmulqdq, Sha,  Adx,      Rdrand, Rdseed,     Clflushopt, Clwb,     Prefetchw,
                 Serialize, Erms,      Fsrm, Xsaveopt, Xsavec, XgetbvEcx1, Xsaves,     Fsgsbase, Rdtscp,
                 Rdpid,     Pdpe1gb,   Pcid, Invpcid,  Smep,   Smap,       Umip,       Vaes,     Vpclmulqdq});
}
FeatureSet all_features() {
  FeatureSet set;
  for (const FeatureRow& row : kFeatures) change(set, row.feature, true);
  return set;
}

struct Model {
  std::string_view name;
  std::string_view text;
  FeatureSet (*features)();
};
constexpr std::string_view kDefaultModel = "default";
constexpr Model kModels[] = {
    {"x86-64", "SSE2; the first processors with 64-bit mode", level1},
    {"x86-64-v2", "to SSE4.2 and POPCNT", level2},
    {"x86-64-v3", "to AVX2, BMI2 and FMA", level3},
    {kDefaultModel, "x86-64-v3 with AES, SHA, and what kernels use", default_features},
    {"max", "everything there is", all_features},
};

CpuProfile profile_of(const Model& model) {
  return {
      .name = model.name,
      .vendor = kVendorIntel,
      .brand = "Reprise Virtual CPU @ 1.00GHz",
      .family = 6,
      // No Intel part has this number, so no kernel applies a model's errata or looks for its private registers.
      .model = 0x40,
      .stepping = 1,
      // As QEMU's: firmware takes more for the width of a real bus and prepares page tables for all of it.
      .physical_address_bits = 40,
      .tlb = {},
      .features = model.features() & ~missing_features(),
  };
}

void make_amd(CpuProfile& profile) {
  profile.vendor = kVendorAmd;
  profile.brand = "Reprise Virtual CPU";
  profile.family = 0x1a;
  profile.model = 0xf0;  // no part of AMD has it
  profile.stepping = 0;
  for (const Feature feature : kIntelOnly) change(profile.features, feature, false);
}

// --- Names ---

std::string normalised(std::string_view name) {
  std::string out = in_small_letters(name);
  for (char& c : out)
    if (c == '_' || c == '.') c = '-';
  return out;
}

const FeatureRow* find_feature(std::string_view name) {
  const std::string wanted = normalised(name);
  for (const FeatureRow& row : kFeatures) {
    bool found = wanted == row.name;
    for (const std::string_view other : words_between(row.other_names, " "))
      found |= wanted == normalised(other);
    if (found) return &row;
  }
  return nullptr;
}

std::string_view name_of(Feature feature) {
  for (const FeatureRow& row : kFeatures) {
    if (row.feature == feature) return row.name;
  }
  return "?";
}

const Model* find_model(std::string_view name) {
  const std::string wanted = normalised(name);
  for (const Model& model : kModels) {
    if (wanted == model.name) return &model;
  }
  return nullptr;
}

/// ", did you mean NAME?" or ": --cpu help lists them".
template <class Rows>
std::string suggestion(std::string_view wrong, const Rows& rows) {
  const std::string name = normalised(wrong);
  Nearest nearest(name);
  for (const auto& row : rows) nearest.offer(row.name);
  const std::string_view best = nearest.name();
  return best.empty() ? std::string("; --cpu help lists them") : fmt::format("; did you mean {}?", best);
}

// --- Parsing ---

/// What was asked for, feature by feature: an explicit wish is never overruled silently.
struct Wish {
  Feature feature;
  bool on;
};

Result<Wish> parse_wish(std::string_view word) {
  bool on = true;
  if (word.starts_with('+') || word.starts_with('-')) {
    on = word.front() == '+';
    word.remove_prefix(1);
  } else if (word.ends_with("=on") || word.ends_with("=off")) {
    on = word.ends_with("=on");
    word.remove_suffix(on ? 3 : 4);
  }
  const FeatureRow* row = find_feature(word);
  if (row == nullptr)
    return Error{fmt::format("there is no feature '{}'{}", word, suggestion(word, kFeatures))};
  if (on && row->choice == Choice::Missing) return Error{fmt::format("{} is not implemented", row->name)};
  if (!on && row->choice == Choice::Always)
    return Error{fmt::format("{} is part of every x86-64 processor and cannot be left out", row->name)};
  return Wish{row->feature, on};
}

Result<Done> check_vendor(std::string_view name, CpuProfile& profile) {
  const std::string vendor = normalised(name);
  if (vendor == "amd" || vendor == "authenticamd") {
    make_amd(profile);
  } else if (vendor != "intel" && vendor != "genuineintel") {
    return Error{fmt::format("vendor '{}' is neither intel (GenuineIntel) nor amd (AuthenticAMD)", name)};
  }
  return Done{};
}

Result<mmu::TlbGeometry> parse_tlb(std::string_view text) {
  u32 entries = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), entries);
  constexpr u32 kFewest = 8, kMost = 65536;
  if (error != std::errc() || end != text.data() + text.size() || !std::has_single_bit(entries) ||
      entries < kFewest || entries > kMost)
    return Error{fmt::format("tlb={} is not a power of two between {} and {}", text, kFewest, kMost)};
  return mmu::TlbGeometry::of(entries);
}

Result<Done> check_needs(const CpuProfile& profile) {
  for (const Need& need : kNeeds) {
    if (!contains(profile.features, need.feature) || contains(profile.features, need.needs)) continue;
    return Error{fmt::format("{0} needs {1}: add +{1}, or -{0}", name_of(need.feature), name_of(need.needs))};
  }
  if (!profile.amd()) return Done{};
  for (const Feature feature : kIntelOnly) {
    if (contains(profile.features, feature))
      return Error{fmt::format("{} exists on processors of Intel only", name_of(feature))};
  }
  return Done{};
}

}  // namespace

Result<CpuProfile> parse_cpu_model(std::string_view text) {
  std::vector<std::string_view> words = words_between(text, ",");
  if (words.empty()) return Error{"no processor was named; --cpu help lists them"};

  const Model* model = find_model(kDefaultModel);
  const bool names_model = words[0].find('=') == std::string_view::npos && !words[0].starts_with('+') &&
                           !words[0].starts_with('-');
  if (names_model) {
    model = find_model(words[0]);
    if (model == nullptr)
      return Error{fmt::format("there is no processor '{}'{}", words[0], suggestion(words[0], kModels))};
    words.erase(words.begin());
  }
  CpuProfile profile = profile_of(*model);
  std::vector<Wish> wishes;
  constexpr std::string_view kVendor = "vendor=";
  constexpr std::string_view kTlb = "tlb=";
  for (const std::string_view key : {kVendor, kTlb})
    if (std::ranges::count_if(words, [&](std::string_view word) { return word.starts_with(key); }) > 1)
      return Error{fmt::format("{} was given twice", key)};
  for (const std::string_view word : words) {
    if (word.starts_with(kTlb)) {
      profile.tlb = TRY(parse_tlb(word.substr(kTlb.size())));
    } else if (word.starts_with(kVendor)) {
      TRY(check_vendor(word.substr(kVendor.size()), profile));
    } else {
      wishes.push_back(TRY(parse_wish(word)));
    }
  }
  for (const Wish& wish : wishes) {
    if (std::ranges::any_of(
            wishes, [&](const Wish& other) { return other.feature == wish.feature && other.on != wish.on; }))
      return Error{fmt::format("{} is both asked for and left out", name_of(wish.feature))};
    change(profile.features, wish.feature, wish.on);
  }
  TRY(check_needs(profile));
  return profile;
}

const CpuProfile& default_profile() {
  static const CpuProfile profile = profile_of(*find_model(kDefaultModel));
  return profile;
}

std::string words_behind_model() {
  std::string words;
  for (const FeatureRow& row : kFeatures)
    if (row.choice == Choice::Free) words += fmt::format("+{0} -{0} ", row.name);
  return words + "vendor= tlb=";
}

std::vector<std::string_view> cpu_model_names() {
  std::vector<std::string_view> names;
  for (const Model& model : kModels) names.push_back(model.name);
  return names;
}

std::vector<NamedFeature> named_features(const CpuProfile& profile) {
  // Feature::Base in cpuid.cpp, by bits of leaves 1, 7 and 80000007h.
  constexpr std::string_view kBase[] = {"hypervisor", "de",  "pse", "pae",   "mce",        "apic",
                                        "mtrr",       "mca", "pat", "pse36", "tsc_adjust", "invtsc"};
  std::vector<NamedFeature> features;
  for (const std::string_view name : kBase) features.push_back({std::string(name), true});
  for (const FeatureRow& row : kFeatures) {
    const bool has = profile.has(row.feature);
    features.push_back({std::string(row.name), has});
    for (const std::string_view other : words_between(row.other_names, " "))
      features.push_back({std::string(other), has});
  }
  return features;
}

std::string cpu_model_help() {
  std::string text =
      "--cpu MODEL[,+FEATURE][,-FEATURE][,vendor=intel|amd][,tlb=ENTRIES]\n\n"
      "tlb: how many translations of 4 KiB it keeps, 8 to 65536 (default 8192); few make stale ones "
      "rare.\n\nModels:\n";
  for (const Model& model : kModels) text += fmt::format("  {:<12} {}\n", model.name, model.text);
  text += "\nFeatures ('*': in the default model):\n";
  std::string line = " ";
  const CpuProfile& profile = default_profile();
  for (const FeatureRow& row : kFeatures) {
    if (row.choice != Choice::Free) continue;
    const std::string word = fmt::format(" {}{}", row.name, profile.has(row.feature) ? "*" : "");
    if (line.size() + word.size() > 100) {
      text += line + '\n';
      line.assign(1, ' ');
    }
    line += word;
  }
  return text + line + '\n';
}

}  // namespace reprise::cpu
