// How many host instructions hot guest shapes take on their straight path, compared with tests/jit/goldens.txt, so
// that a review sees a loss or a gain. --update writes that file anew.
//
// Slow paths, exits, the charge of the budget and the jump that ends each shape's block are not counted.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "common/check.h"
#include "common/log.h"
#include "jit/engine/jit_engine.h"
#include "mmu/paging_bits.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

struct Shape {
  const char* name;
  std::vector<u8> code;
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      // Loads and stores
      {"load", {0x48, 0x8b, 0x03}},
      {"load, displacement", {0x48, 0x8b, 0x43, 0x10}},
      {"load, index", {0x48, 0x8b, 0x44, 0xcb, 0x10}},
      {"load, 32 bits", {0x8b, 0x06}},
      {"load, byte", {0x0f, 0xb6, 0x06}},
      {"load into a register in memory", {0x4c, 0x8b, 0x33}},
      {"load, relative to rip", {0x48, 0x8b, 0x05, 0, 1, 0, 0}},
      {"load, gs", {0x65, 0x48, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0}},
      {"store", {0x48, 0x89, 0x07}},
      {"store, immediate", {0xc7, 0x07, 1, 0, 0, 0}},
      {"store, byte", {0x88, 0x07}},
      {"add to memory", {0x48, 0x01, 0x07}},
      {"increment memory", {0xff, 0x07}},
      {"add from memory", {0x48, 0x03, 0x06}},
      {"compare with memory and jump", {0x48, 0x3b, 0x06, 0x74, 0x10}},
      // Groups
      {"struct, four loads",
       {0x48, 0x8b, 0x07, 0x48, 0x8b, 0x4f, 8, 0x48, 0x8b, 0x57, 16, 0x48, 0x8b, 0x77, 24}},
      {"struct, four stores",
       {0x48, 0x89, 0x07, 0x48, 0x89, 0x4f, 8, 0x48, 0x89, 0x57, 16, 0x48, 0x89, 0x77, 24}},
      {"struct, load, add, store", {0x48, 0x8b, 0x47, 8, 0x48, 0x01, 0xc8, 0x48, 0x89, 0x47, 16}},
      {"linked list", {0x48, 0x8b, 0x00, 0x48, 0x85, 0xc0, 0x75, 0xf8}},
      {"struct in an array, two loads", {0x48, 0x8b, 0x04, 0xcf, 0x48, 0x8b, 0x54, 0xcf, 8}},
      {"two aligned vectors", {0x0f, 0x28, 0x06, 0x0f, 0x29, 0x46, 16}},
      {"byte copy loop",
       {0x8a, 0x06, 0x88, 0x07, 0x48, 0xff, 0xc6, 0x48, 0xff, 0xc7, 0x48, 0xff, 0xc9, 0x75, 0xf1}},
      // Stack
      {"push, pop", {0x50, 0x59}},
      {"prologue",
       {0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x41, 0x56, 0x41, 0x55, 0x41, 0x54, 0x53, 0x48, 0x83, 0xec,
        0x18}},
      {"epilogue",
       {0x48, 0x83, 0xc4, 0x18, 0x5b, 0x41, 0x5c, 0x41, 0x5d, 0x41, 0x5e, 0x41, 0x5f, 0x5d, 0xc3}},
      {"call", {0xe8, 0, 1, 0, 0}},
      {"call, another page", {0xe8, 0, 0x20, 0, 0}},
      {"call, register", {0xff, 0xd0}},
      {"return", {0xc3}},
      {"load, index alone", {0x48, 0x8b, 0x04, 0xcd, 0, 0, 3, 0}},
      {"jump through a table", {0xff, 0x24, 0xc5, 0, 0, 3, 0}},
      // Registers and flags
      {"compare and jump", {0x48, 0x39, 0xc3, 0x74, 0x10}},
      {"test and jump", {0x85, 0xc0, 0x75, 0x10}},
      {"count down and jump", {0xff, 0xc9, 0x75, 0xfc}},
      {"add, subtract, xor", {0x48, 0x01, 0xd8, 0x48, 0x29, 0xcb, 0x48, 0x31, 0xd2}},
      {"add with carry", {0x48, 0x01, 0xc8, 0x48, 0x11, 0xda}},
      {"compare, load, jump", {0x48, 0x39, 0xc8, 0x48, 0x8b, 0x16, 0x74, 0x10}},
      {"add, load, compare", {0x48, 0x01, 0xc8, 0x48, 0x8b, 0x16, 0x48, 0x39, 0xda}},
      {"add two registers in memory", {0x4d, 0x01, 0xf5}},
      {"shift, multiply, add", {0x48, 0xc1, 0xe0, 4, 0x48, 0x0f, 0xaf, 0xc3, 0x48, 0x01, 0xc8}},
      {"address of", {0x48, 0x8d, 0x44, 0xcb, 0x10}},
      {"sign extension", {0x48, 0x63, 0xc1}},
      {"compare and set", {0x39, 0xc8, 0x0f, 0x94, 0xc0}},
      {"compare and move", {0x48, 0x39, 0xc8, 0x48, 0x0f, 0x44, 0xd9}},
      {"swap bytes", {0x48, 0x0f, 0xc8}},
      {"count bits", {0xf3, 0x48, 0x0f, 0xb8, 0xc1}},
      {"high byte", {0x0f, 0xb6, 0xc4}},
      {"add and remember flags", {0x48, 0x01, 0xc8, 0x9c}},
      // Atomic
      {"exchange", {0x48, 0x87, 0x07}},
      {"locked exchange and add", {0xf0, 0x48, 0x0f, 0xc1, 0x07}},
      {"locked compare and exchange", {0xf0, 0x48, 0x0f, 0xb1, 0x0f}},
      // Strings
      {"rep movsb", {0xf3, 0xa4}},
      {"rep stosq", {0xf3, 0x48, 0xab}},
      {"movsq", {0x48, 0xa5}},
      {"lodsb", {0xac}},
      // Vectors
      {"addsd", {0xf2, 0x0f, 0x58, 0xc1}},
      {"addsd from memory", {0xf2, 0x0f, 0x58, 0x06}},
      {"mulps", {0x0f, 0x59, 0xc1}},
      {"movaps from memory", {0x0f, 0x28, 0x06}},
      {"movups to memory", {0x0f, 0x11, 0x07}},
      {"four vectors copied",
       {0x0f, 0x10, 0x06, 0x0f, 0x10, 0x4e, 16, 0x0f, 0x11, 0x07, 0x0f, 0x11, 0x4f, 16}},
      {"pxor", {0x66, 0x0f, 0xef, 0xc0}},
      {"integer to double", {0xf2, 0x48, 0x0f, 0x2a, 0xc0}},
      {"double to integer", {0xf2, 0x48, 0x0f, 0x2c, 0xc0}},
      {"compare doubles and jump", {0x66, 0x0f, 0x2e, 0xc1, 0x77, 0x10}},
      {"vaddpd, 256 bits", {0xc5, 0xf5, 0x58, 0xc2}},
      {"vmovups from memory, 256 bits", {0xc5, 0xfc, 0x10, 0x06}},
      {"vfmadd231pd, 256 bits", {0xc4, 0xe2, 0xf5, 0xb8, 0xc2}},
      // x87
      {"load, multiply, store doubles", {0xdd, 0x06, 0xdc, 0x4e, 8, 0xdd, 0x1f}},
      {"fadd", {0xd8, 0xc1}},
      // System
      {"rdtsc", {0x0f, 0x31}},
      {"syscall", {0x0f, 0x05}},
      {"cli, sti", {0xfa, 0xfb}},
  };
  return all;
}

struct Count {
  unsigned guest = 0;
  unsigned host = 0;
  std::string text;  // the guest's instructions
  std::string dump;
};

/// Translates `code`, which a jump to the next page follows, and counts.
Count count(const std::vector<u8>& code) {
  constexpr u64 kCode = test::SmallMachine::kCode;
  std::vector<u8> all = code;
  all.insert(all.end(), {0xe9, 0, 0x10, 0, 0});
  test::SmallMachine machine(all);

  Count result;
  jit::JitOptions options;
  options.threshold = 1;
  options.code_cache_bytes = jit::JitOptions::kMinCodeCacheBytes;
  options.dump = static_cast<u8>(jit::Dump::Guest) | static_cast<u8>(jit::Dump::Host);
  options.dump_at = {kCode};
  options.dump_sink = [&](std::string_view text) { result.dump += text; };
  jit::JitEngine engine(cpu::default_profile(), machine.code_pages, options);
  (void)engine.run(*machine.cpu, 1);  // translates, then interprets, since the block is longer than that

  // Guest lines begin with two blanks and an address, host lines with six.
  std::istringstream lines(result.dump);
  bool counting = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "  slow paths and exits") break;
    if (line.starts_with("      ")) {
      result.host += counting ? 1 : 0;
    } else if (line.starts_with("  ")) {
      const u64 offset = std::stoull(line.substr(2), nullptr, 16) - kCode;
      counting = offset < code.size();
      if (!counting) continue;
      ++result.guest;
      result.text += (result.text.empty() ? "" : "; ") + line.substr(20);
    }
  }
  return result;
}

std::string line_of(const Shape& shape, const Count& count) {
  return fmt::format("{:<36} {:3} {:4}  {}", shape.name, count.guest, count.host, count.text);
}

constexpr std::string_view kHeader =
    "# shape, guest instructions, host instructions on the straight path, the guest's code.\n"
    "# Written by `jit_goldens --update`; for x86-64-v3 hosts.\n";

}  // namespace
}  // namespace reprise

int main(int argc, char** argv) {
  using namespace reprise;
  std::string path;
  std::string show;
  bool update = false;
  CLI::App app("Compares how many host instructions guest shapes take.");
  app.add_option("file", path, "goldens.txt")->required();
  app.add_flag("--update", update, "write the file anew");
  app.add_option("--show", show, "print the code of this shape");
  CLI11_PARSE(app, argc, argv);
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("fma")) {
    fmt::print("skipped: the goldens are for x86-64-v3 hosts\n");
    return 0;
  }
  std::string text(kHeader);
  std::vector<std::string> now;
  unsigned guest = 0, host = 0;
  for (const Shape& shape : shapes()) {
    const Count counted = count(shape.code);
    if (show == shape.name) fmt::print("{}", counted.dump);
    if (counted.guest == 0) fmt::print("{}: was not translated\n", shape.name);
    now.push_back(line_of(shape, counted));
    text += now.back() + "\n";
    guest += counted.guest, host += counted.host;
  }
  fmt::print("{} shapes: {} host instructions for {} guest instructions, {:.2f} each\n", now.size(), host,
             guest, static_cast<double>(host) / guest);
  if (update) {
    std::ofstream(path) << text;
    return 0;
  }
  std::ifstream file(path);
  std::vector<std::string> before;
  for (std::string line; std::getline(file, line);)
    if (!line.starts_with("#")) before.push_back(line);
  unsigned differences = 0;
  for (std::size_t i = 0; i < std::max(now.size(), before.size()); ++i) {
    const std::string was = i < before.size() ? before[i] : "";
    const std::string is = i < now.size() ? now[i] : "";
    if (was == is) continue;
    ++differences;
    fmt::print("- {}\n+ {}\n", was, is);
  }
  if (differences == 0) return 0;
  fmt::print("{} shapes changed. If that is meant: {} --update {}\n", differences, argv[0], path);
  return 1;
}
