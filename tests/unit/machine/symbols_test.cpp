// Names of a guest's kernel: files that have them, where the kernel runs, what the monitor makes of it.
#include <gtest/gtest.h>

#include <elf.h>

#include <random>

#include "machine/monitor/monitor.h"
#include "machine/symbols/btf_types.h"
#include "machine/symbols/kernel_symbols.h"
#include "machine/symbols/symbol_file.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine::symbols {
namespace {

constexpr u64 kSlide = 0x1c00'0000;
constexpr std::string_view kMap =
    "0000000000000000 D __per_cpu_start\n"
    "000000000001fbc0 D current_task\n"
    "ffffffff81000000 T _text\nffffffff81000000 T _stext\n"
    "ffffffff81000080 t helper\n"
    "nonsense\n"
    "ffffffff81000100 T asm_exc_page_fault\n"
    "ffffffff81000200 T entry_SYSCALL_64\n"
    "ffffffff81000300 t helper\n"
    "ffffffff82000000 B _end\n"
    "ffffffffc0000010 t probe\t[driver]\n";

std::shared_ptr<const SymbolTable> table_of(std::string_view text) {
  const boot::TemporaryFile file{std::string(text)};
  auto loaded = load_symbols(file.path());
  EXPECT_TRUE(loaded.ok()) << loaded.error().message;
  return loaded.ok() ? loaded.take() : nullptr;
}

std::string refused(const std::string& text) {
  const boot::TemporaryFile file(text);
  const auto loaded = load_symbols(file.path());
  return loaded.ok() ? "" : loaded.error().message.substr(loaded.error().message.find("' ") + 2);
}

TEST(Symbols, AListNamesTheFunctionAndTheDistance) {
  const auto table = table_of(kMap);
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->count(), 10u);
  EXPECT_FALSE(table->is_elf());
  EXPECT_EQ(table->find(0xffffffff8100'0081)->name, "helper");
  EXPECT_EQ(table->find(0xffffffff8100'0081)->distance, 1u);
  EXPECT_EQ(table->find(0xffffffff81ff'ffff)->name, "helper") << "the last one before _end";
  EXPECT_EQ(table->find(0xffffffffc000'0020)->name, "probe");
  EXPECT_FALSE(table->find(0xffffffff80ff'ffff)) << "before the image";
  EXPECT_FALSE(table->find(0x7fff'0000'0000)) << "far from any";
  EXPECT_EQ(table->address_of("current_task"), u64{0x1fbc0});
  EXPECT_FALSE(table->address_of("curren"));
}

TEST(Symbols, FilesWithoutNamesAreRefused) {
  EXPECT_NE(load_symbols("/nonexistent/a").error().message.find("does not exist"), std::string::npos);
  EXPECT_NE(refused("no symbols here\n").find("has no line such as"), std::string::npos);
  EXPECT_NE(refused("ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n")
                .find("linux-image-...-dbg"),
            std::string::npos);
  EXPECT_NE(refused("0000000000000000 T _text\n0000000000000000 T _end\n").find("only zeros"),
            std::string::npos);
  EXPECT_NE(refused("\177ELF").find("ELF"), std::string::npos);
}

/// An ELF file with a symbol table of two functions and a section .BTF.
std::string elf_file() {
  const std::string names = std::string("\0.symtab\0.strtab\0.BTF\0_text\0work\0", 33);
  const std::string types = "types";
  std::vector<Elf64_Sym> symbols(3);
  symbols[1] = {22, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0xffffffff8100'0000, 16};
  symbols[2] = {28, ELF64_ST_INFO(STB_LOCAL, STT_FUNC), 0, 1, 0xffffffff8100'0040, 16};
  const u64 names_at = sizeof(Elf64_Ehdr);
  const u64 symbols_at = 128;
  const u64 types_at = symbols_at + symbols.size() * sizeof(Elf64_Sym);
  const u64 sections_at = types_at + 8;
  Elf64_Ehdr head = {};
  std::memcpy(head.e_ident, ELFMAG, SELFMAG);
  head.e_ident[EI_CLASS] = ELFCLASS64;
  head.e_ident[EI_DATA] = ELFDATA2LSB;
  head.e_ident[EI_VERSION] = EV_CURRENT;
  head.e_type = ET_EXEC;
  head.e_machine = EM_X86_64;
  head.e_version = EV_CURRENT;
  head.e_shoff = sections_at;
  head.e_ehsize = sizeof(Elf64_Ehdr);
  head.e_shentsize = sizeof(Elf64_Shdr);
  head.e_shnum = 4;
  head.e_shstrndx = 2;
  Elf64_Shdr sections[4] = {};
  sections[1] = {1, SHT_SYMTAB,       0, 0, symbols_at, symbols.size() * sizeof(Elf64_Sym), 2, 2,
                 8, sizeof(Elf64_Sym)};
  sections[2] = {9, SHT_STRTAB, 0, 0, names_at, names.size(), 0, 0, 1, 0};
  sections[3] = {17, SHT_PROGBITS, 0, 0, types_at, types.size(), 0, 0, 1, 0};
  std::string file(sections_at + sizeof sections, '\0');
  std::memcpy(file.data(), &head, sizeof head);
  file.replace(names_at, names.size(), names);
  std::memcpy(file.data() + symbols_at, symbols.data(), symbols.size() * sizeof(Elf64_Sym));
  file.replace(types_at, types.size(), types);
  std::memcpy(file.data() + sections_at, sections, sizeof sections);
  return file;
}

bool reads_elf() { return refused(elf_file()).find("built without libelf") == std::string::npos; }

TEST(Symbols, ElfFilesAreRead) {
  if (!reads_elf()) GTEST_SKIP() << "built without libelf";
  const auto table = table_of(elf_file());
  ASSERT_NE(table, nullptr);
  EXPECT_TRUE(table->is_elf());
  EXPECT_EQ(table->count(), 2u);
  EXPECT_EQ(table->find(0xffffffff8100'0044)->name, "work");
  EXPECT_EQ(table->types().size(), 5u);
}

TEST(Symbols, DamagedElfFilesDoNoHarm) {
  if (!reads_elf()) GTEST_SKIP() << "built without libelf";
  const std::string good = elf_file();
  std::mt19937 random(1);
  for (unsigned round = 0; round < 400; ++round) {
    std::string bad = good;
    for (unsigned i = 0; i < 4; ++i) bad[random() % bad.size()] = static_cast<char>(random());
    if (round % 3 == 0) bad.resize(5 + random() % (bad.size() - 5));
    const boot::TemporaryFile file(bad);
    const auto loaded = load_symbols(file.path());
    if (loaded.ok()) {
      EXPECT_LE(loaded.value()->count(), 3u);
    } else {
      EXPECT_EQ(loaded.error().message.find('\n'), std::string::npos);
    }
  }
}

/// A guest whose registers look like those of a kernel that was moved.
struct MovedKernel {
  Guest guest{kSpin};
  cpu::CpuState& state = guest.machine->pc().processors().boot().cpu.state;
  KernelSymbols symbols{table_of(kMap), guest.machine->pc().processors()};
};

TEST(Symbols, TheSlideIsThatOfLstar) {
  MovedKernel kernel;
  EXPECT_FALSE(kernel.symbols.slide()) << "nothing is set yet";
  EXPECT_EQ(kernel.symbols.text(0xffffffff8100'0081), "");
  kernel.state.lstar = 0xffffffff8100'0200 + kSlide;
  ASSERT_TRUE(kernel.symbols.slide());
  EXPECT_EQ(kernel.symbols.slide()->bytes, kSlide);
  EXPECT_EQ(kernel.symbols.slide()->by, "LSTAR, which is entry_SYSCALL_64");
  EXPECT_EQ(kernel.symbols.text(0xffffffff8100'0081 + kSlide), "helper+0x1");
  EXPECT_EQ(kernel.symbols.text(0xffffffffc000'0010), "") << "modules are elsewhere, too";
  EXPECT_EQ(kernel.symbols.address_of("helper"), 0xffffffff8100'0080 + kSlide);
  EXPECT_EQ(kernel.symbols.address_of("current_task"), u64{0x1fbc0}) << "an offset does not move";
  kernel.state.lstar += 0x1000;
  EXPECT_FALSE(kernel.symbols.slide()) << "another kernel's";
  kernel.state.lstar = 0xffffffff8100'0200;
  EXPECT_EQ(kernel.symbols.slide()->bytes, 0u);
  EXPECT_EQ(kernel.symbols.text(0xffffffffc000'0010), "probe");
}

TEST(Symbols, TheSlideIsThatOfTheIdt) {
  MovedKernel kernel;
  constexpr u64 kIdt = 0x200000;
  const u64 handler = 0xffffffff8100'0100 + kSlide;
  u8* const gate = kernel.guest.machine->ram().host() + kIdt + 14 * 16;
  const u64 words[] = {(handler & 0xffff) | u64{0x8e00} << 32 | (handler >> 16 & 0xffff) << 48,
                       handler >> 32};
  std::memcpy(gate, words, sizeof words);
  kernel.state.efer |= 0x400;
  kernel.state.idtr = {kIdt, 0xfff};
  ASSERT_TRUE(kernel.symbols.slide());
  EXPECT_EQ(kernel.symbols.slide()->bytes, kSlide);
  kernel.state.lstar = 0xffffffff8100'0200 + kSlide;
  EXPECT_EQ(kernel.symbols.slide()->by,
            "LSTAR, which is entry_SYSCALL_64, and the gate of page faults, which is asm_exc_page_fault");
  kernel.state.lstar += u64{4} << 20;
  EXPECT_FALSE(kernel.symbols.slide()) << "they contradict each other";
  kernel.state.lstar = 0;
  kernel.state.idtr.limit = 14 * 16 + 14;
  EXPECT_FALSE(kernel.symbols.slide()) << "the table is too short";
}

/// int; struct inner {int deep; int bits:3;}; struct outer {int first; struct {int; union with `deep`} nameless; ...}.
std::vector<u8> btf() {
  const std::string strings = std::string("\0outer\0first\0deep\0last\0flag\0", 28);
  const auto at = [&](std::string_view name) {
    return static_cast<u32>(strings.find(std::string(1, '\0') + std::string(name)) + 1);
  };
  const u32 kind_struct = 4u << 24;
  const u32 bit_fields = 1u << 31;
  const std::vector<u32> types = {0,
                                  1u << 24,
                                  4,
                                  32,  // 1: int
                                  0,
                                  2u << 24,
                                  1,  // 2: int *
                                  0,
                                  (5u << 24) | 1,
                                  8,
                                  at("deep"),
                                  2,
                                  0,  // 3: union {int *deep;}
                                  0,
                                  kind_struct | 2,
                                  16,
                                  0,
                                  3,
                                  64,
                                  0,
                                  4,
                                  0,  // 4: struct {union 3 at 8; struct 4 itself}: hostile
                                  at("outer"),
                                  bit_fields | kind_struct | 4,
                                  64,  // 5: struct outer
                                  at("first"),
                                  1,
                                  0,
                                  0,
                                  4,
                                  128,
                                  at("flag"),
                                  1,
                                  (3u << 24) | 384,
                                  at("last"),
                                  1,
                                  416};
  std::vector<u32> words = {0x0001'eb9f,
                            24,
                            0,
                            static_cast<u32>(types.size() * 4),
                            static_cast<u32>(types.size() * 4),
                            static_cast<u32>(strings.size())};
  words.insert(words.end(), types.begin(), types.end());
  std::vector<u8> bytes(words.size() * 4);
  std::memcpy(bytes.data(), words.data(), bytes.size());
  bytes.insert(bytes.end(), strings.begin(), strings.end());
  return bytes;
}

TEST(Btf, MembersAreFound) {
  const auto types = BtfTypes::parse(btf());
  ASSERT_TRUE(types);
  EXPECT_EQ(types->offset_of("outer", "first"), 0u);
  EXPECT_EQ(types->offset_of("outer", "deep"), 16u + 8u) << "in a nameless union of a nameless structure";
  EXPECT_EQ(types->offset_of("outer", "last"), 52u);
  EXPECT_FALSE(types->offset_of("outer", "flag")) << "a bit field";
  EXPECT_FALSE(types->offset_of("outer", "missing"));
  EXPECT_FALSE(types->offset_of("inner", "first"));
}

TEST(Btf, DamagedTypesDoNoHarm) {
  const std::vector<u8> good = btf();
  EXPECT_FALSE(BtfTypes::parse({}));
  std::mt19937 random(1);
  for (unsigned round = 0; round < 20000; ++round) {
    std::vector<u8> bad = good;
    for (unsigned i = 0; i < 3; ++i) bad[random() % bad.size()] = static_cast<u8>(random());
    if (round % 4 == 0) bad.resize(random() % bad.size());
    const auto types = BtfTypes::parse(bad);
    if (types) {
      const auto offset = types->offset_of("outer", "deep");
      EXPECT_LE(offset.value_or(0), u64{9} << 29);
    }
  }
}

const RunLimits kShort = [] {
  RunLimits limits;
  limits.virtual_timeout_ns = 1'000'000;
  return limits;
}();

struct Named : testing::Test {
  static MachineConfig config() {
    MachineConfig config;
    config.symbols =
        table_of("0000000000100000 T _text\n0000000000100020 T begin\n0000000000100400 T _end\n");
    return config;
  }
  Guest guest{kCli + kSpin, config()};
  monitor::Monitor monitor{*guest.machine, "reprise test"};
  std::string tell(std::string_view line) {
    const monitor::Outcome outcome = monitor.execute_line(line);
    return outcome ? outcome.value().text : outcome.error().message;
  }
};

TEST_F(Named, TheMonitorShowsNames) {
  EXPECT_NE(tell("disassemble").find("begin:\n"), std::string::npos) << tell("disassemble");
  EXPECT_NE(tell("disassemble").find("<begin+0x1>"), std::string::npos) << "where the jump leads";
  EXPECT_NE(tell("info registers").find("rip is at begin\n"), std::string::npos);
  EXPECT_NE(tell("info cpus").find("rip 0x100020 <begin>"), std::string::npos);
  EXPECT_NE(tell("explain begin").find("linear 0x100020 <begin>"), std::string::npos)
      << tell("explain begin");
  EXPECT_EQ(tell("print begin+4"), "0x100024\n");
  EXPECT_NE(tell("print nothing").find("nor a name that is known"), std::string::npos);
  EXPECT_NE(tell("kaslr").find("slide 0x0\nthe kernel's image begins at 0x100000"), std::string::npos)
      << tell("kaslr");
}

TEST_F(Named, AnEndThatNobodyWantedSaysWhereTheKernelIs) {
  const RunResult result = guest.run(kShort);
  EXPECT_EQ(result.reason, ExitReason::Timeout);
  EXPECT_EQ(result.details, "processor 0 is at 0x100021, begin+0x1\n");
}

TEST(Symbols, QuestionsAboutThePastNamePlaces) {
  MachineConfig config;
  config.history = {.on = true, .bytes = 16 << 20, .interval_instructions = 100};
  config.symbols = table_of(
      "0000000000100000 T _text\n0000000000100020 T begin\n0000000000200000 D counter\n0000000000300000 T "
      "_end\n");
  Guest guest{Code{0xff, 0x05, 0x00, 0x00, 0x20, 0x00, 0xeb, 0xf8},
              config};  // inc dword [counter]; jmp begin
  RunLimits limits;
  limits.stop_at_retired = 1000;
  guest.run(limits);
  monitor::Monitor monitor{*guest.machine, "reprise test"};
  const auto ask = [&](std::string_view line) {
    const monitor::Outcome outcome = monitor.execute_line(line);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message;
    return outcome ? outcome.value() : monitor::Answer();
  };
  const monitor::Answer write = ask("last-write counter,4");
  EXPECT_EQ(write.json["symbol"], "begin");
  EXPECT_NE(write.text.find("processor 0 at 0x100020 <begin> stored 4 bytes"), std::string::npos)
      << write.text;
  const monitor::Answer jump = ask("last-exec begin+6");
  EXPECT_NE(jump.text.find("0x100026 <begin+0x6>"), std::string::npos) << jump.text;
  const monitor::Answer first = ask("bisect u32[counter]>=5&&rip>=begin");
  EXPECT_EQ(first.json["position"], "@9") << first.text;
  EXPECT_EQ(ask("when u32[counter+0]==5").json["position"], "@9");
  EXPECT_NE(monitor.execute_line("when u32[nothing]==5").error().message.find("nothing"), std::string::npos);
}

TEST(Symbols, WithoutAFileTheMonitorSaysHowToGetNames) {
  Guest guest{kSpin};
  monitor::Monitor monitor{*guest.machine, "reprise test"};
  EXPECT_NE(monitor.execute_line("kaslr").error().message.find("--symbols"), std::string::npos);
  EXPECT_EQ(guest.run(kShort).details, "");
}

}  // namespace
}  // namespace reprise::machine::symbols
