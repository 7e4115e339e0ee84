#include "frontend/command_line.h"
#include "frontend/options/check_medium.h"
#include "frontend/options/origin.h"
#include "frontend/options/place_names.h"
#include "frontend/options/values.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "common/log.h"
#include "frontend/manual/formats.h"
#include "frontend/version.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/disk_device.h"

namespace reprise::frontend {
namespace {

RunOptions parsed(std::vector<std::string> words) {
  words.insert(words.begin(), {"run", "--kernel", "vmlinuz"});
  auto result = parse_options(words);
  if (const EarlyExit* exit = std::get_if<EarlyExit>(&result)) {
    ADD_FAILURE() << exit->text;
    return {};
  }
  return std::get<RunOptions>(std::move(result));
}

std::string refused(std::vector<std::string> words) {
  words.insert(words.begin(), {"run", "--kernel", "vmlinuz"});
  const auto result = parse_options(words);
  const EarlyExit* exit = std::get_if<EarlyExit>(&result);
  if (exit == nullptr) return "accepted";
  EXPECT_EQ(exit->exit_code, 2);
  EXPECT_EQ(std::count(exit->text.begin(), exit->text.end(), '\n'), 1) << exit->text;
  return exit->text;
}

TEST(Options, Processors) {
  EXPECT_EQ(parsed({"--cpu", "x86-64-v2,+aes"}).config.cpu.name, "x86-64-v2");
  EXPECT_EQ(parsed({}).config.cpu.name, "default");
  EXPECT_EQ(refused({"--cpu", "x86-64,+avx9"}).find("reprise: --cpu: there is no feature 'avx9'"), 0u);
  const auto help = parse_options({"run", "--cpu", "help"});
  ASSERT_TRUE(std::holds_alternative<EarlyExit>(help));
  EXPECT_EQ(std::get<EarlyExit>(help).exit_code, 0);
}

TEST(Options, ProcessorsAndTheirSchedule) {
  const auto topology = [](const char* value) { return parsed({"--cpus", value}).config.cpu.topology; };
  EXPECT_EQ(topology("6"), (cpu::Topology{1, 6, 1}));
  EXPECT_EQ(topology("4,sockets=2"), (cpu::Topology{2, 2, 1}));
  EXPECT_EQ(topology("8,threads=2"), (cpu::Topology{1, 4, 2}));
  EXPECT_EQ(topology("8,sockets=1,cores=2,threads=4"), (cpu::Topology{1, 2, 4}));
  EXPECT_EQ(topology("8,cores=2"), (cpu::Topology{4, 2, 1}));
  const RunOptions both =
      parsed({"--cpus", "2", "--cpu", "x86-64-v2", "--sched-seed", "9", "--quantum", "100-200"});
  EXPECT_EQ(both.config.cpu.name, "x86-64-v2");
  EXPECT_EQ(both.config.cpu.topology.count(), 2u);
  EXPECT_EQ(both.config.schedule.seed, 9u);
  EXPECT_EQ(both.config.schedule.shortest, 100u);
  EXPECT_EQ(both.config.schedule.longest, 200u);
  EXPECT_EQ(parsed({"--quantum", "70"}).config.schedule.longest, 70u);
  const machine::Schedule pct = parsed({"--schedule", "pct:4,5000000"}).config.schedule;
  EXPECT_EQ(pct.policy, machine::Schedule::Policy::Pct);
  EXPECT_EQ(pct.depth, 4u);
  EXPECT_EQ(pct.length, 5'000'000u);
  const machine::Schedule list = parsed({"--schedule", "list:1/9/0,0/0x10/1"}).config.schedule;
  EXPECT_EQ(list.policy, machine::Schedule::Policy::List);
  EXPECT_EQ(machine::handovers_text(list.handovers), "0/16/1,1/9/0");
  EXPECT_TRUE(parsed({"--schedule", "list"}).config.schedule.handovers.empty());
  const std::string path = testing::TempDir() + "turns";
  std::ofstream(path) << "# for people\n0/7/1\t@9\tsomewhere\n";
  EXPECT_EQ(machine::handovers_text(parsed({"--schedule", "file:" + path}).config.schedule.handovers),
            "0/7/1");
  EXPECT_NE(refused({"--schedule", "file:" + path + "x"}).find("does not exist"), std::string::npos);
  EXPECT_NE(refused({"--schedule", "list:0/7"}).find("'0/7' is not as 0/5228/1"), std::string::npos);
}

TEST(Options, NothingStandsBetweenTwoCommas) {
  const std::vector<std::vector<std::string>> kLists = {{"--cpus", "4,"},
                                                        {"--cpus", ",4"},
                                                        {"--cpus", "4,,cores=2"},
                                                        {"--schedule", "pct:3,1000,"},
                                                        {"--schedule", "list:0/1/1,"},
                                                        {"--cpu", "x86-64-v2,"},
                                                        {"--log", "disk,"},
                                                        {"--log", "disk,,cpu"},
                                                        {"--trace", "pio,"},
                                                        {"--no-pass", "all,"},
                                                        {"--dump", "guest,"},
                                                        {"--device", "virtio-rng,"},
                                                        {"--disk", "a.img,"},
                                                        {"--cdrom", "a.iso,,,"}};
  for (const auto& words : kLists) EXPECT_NE(refused(words), "accepted") << words[0] << ' ' << words[1];
  EXPECT_EQ(refused({"--cpus", "4,"}).find("reprise: --cpus '4,' has a comma too many;"), 0u);
}

TEST(Options, OptionsThatDoNothingAreSaid) {
  EXPECT_EQ(
      refused({"--quantum", "70", "--schedule", "pct:3,1000"}).find("reprise: --quantum and --schedule"), 0u);
  EXPECT_NE(refused({"--quantum", "70", "--schedule", "list"}).find("exclude each other"), std::string::npos);
  EXPECT_EQ(parsed({"--quantum", "70", "--cpus", "2"}).remarks.size(), 0u);
  EXPECT_EQ(parsed({"--quantum", "70"}).remarks.size(), 1u);
  EXPECT_EQ(parsed({"--engine", "interp", "--code-cache", "64M"}).remarks.size(), 1u);
  EXPECT_EQ(parsed({"--engine", "jit", "--lockstep-seed", "7"}).remarks.size(), 1u);
  EXPECT_EQ(parsed({"--engine", "lockstep", "--lockstep-seed", "7"}).remarks.size(), 0u);
}

TEST(Options, AMessageIsOneLine) {
  EXPECT_NE(refused({"--cpus", "4\n\x1b[2J"}).find("'4\\n\\x1b[2J'"), std::string::npos);
}

TEST(Options, EveryOptionArrives) {
  const RunOptions options = parsed({"--initrd",
                                     "initrd.img",
                                     "--append",
                                     "console=ttyS0 quiet",
                                     "--memory",
                                     "1G",
                                     "--cpus",
                                     "1",
                                     "--serial",
                                     "file:/tmp/x",
                                     "--engine",
                                     "interp",
                                     "--clock",
                                     "paced",
                                     "--seed",
                                     "0x10",
                                     "--rtc",
                                     "1970-01-02",
                                     "--stop-at",
                                     "5",
                                     "--hash-every",
                                     "6",
                                     "--timeout",
                                     "1.5",
                                     "--wall-timeout",
                                     "2",
                                     "--json",
                                     "out.json",
                                     "--log",
                                     "disk:debug",
                                     "--trace",
                                     "pio,mmio",
                                     "--stats",
                                     "--debug-exit",
                                     "0xf4",
                                     "--no-pass",
                                     "groups,second-level",
                                     "--max-block",
                                     "7",
                                     "--code-cache",
                                     "1M",
                                     "--jit-threshold",
                                     "3",
                                     "--lockstep-seed",
                                     "9",
                                     "--dump",
                                     "guest,host",
                                     "--at",
                                     "0x1000,32",
                                     "--perf-map",
                                     "--symbols",
                                     "System.map"});
  EXPECT_EQ(options.config.boot.kernel_path, "vmlinuz");
  EXPECT_EQ(options.config.boot.initrd_path, "initrd.img");
  EXPECT_EQ(options.config.boot.command_line, "console=ttyS0 quiet");
  EXPECT_EQ(options.config.ram_bytes, u64{1} << 30);
  EXPECT_EQ(options.com1.kind, SerialTarget::Kind::File);
  EXPECT_EQ(options.com1.path, "/tmp/x");
  EXPECT_EQ(options.com2.kind, SerialTarget::Kind::Null);
  EXPECT_EQ(options.clock_choice, ClockChoice::Paced);
  EXPECT_EQ(options.config.seed, 16u);
  EXPECT_EQ(options.config.rtc_unix_s, 86400);
  EXPECT_EQ(options.rtc_start, RtcStart::Option);
  EXPECT_EQ(parsed({}).rtc_start, RtcStart::Fixed);
  EXPECT_EQ(parsed({"--rtc", "now"}).rtc_start, RtcStart::Host);
  EXPECT_EQ(options.limits.stop_at_retired, 5u);
  EXPECT_EQ(options.limits.hash_every_retired, 6u);
  EXPECT_EQ(options.limits.virtual_timeout_ns, 1'500'000'000u);
  EXPECT_EQ(options.limits.wall_timeout_s, 2.0);
  EXPECT_EQ(options.json_path, "out.json");
  EXPECT_TRUE(options.trace.has(machine::TraceKind::Pio));
  EXPECT_TRUE(options.trace.has(machine::TraceKind::Mmio));
  EXPECT_FALSE(options.trace.has(machine::TraceKind::Insn));
  EXPECT_TRUE(options.stats);
  EXPECT_EQ(options.config.devices,
            (std::vector<machine::DeviceConfig>{
                {.driver = "isa-debug-exit", .properties = {{"iobase", "0xf4"}, {"iosize", "4"}}}}));
  const jit::JitOptions& jit = options.config.jit;
  jit::PassSet passes = jit::PassSet::all();
  passes.remove(jit::Pass::Groups);
  passes.remove(jit::Pass::SecondLevel);
  EXPECT_EQ(jit.passes, passes);
  EXPECT_TRUE(jit.has(jit::Pass::X87));
  EXPECT_EQ(jit.max_block_insns, 7u);
  EXPECT_EQ(jit.code_cache_bytes, 1u << 20);
  EXPECT_EQ(jit.threshold, 3u);
  EXPECT_EQ(jit.lockstep_seed, 9u);
  EXPECT_TRUE(jit.dumps(jit::Dump::Guest) && jit.dumps(jit::Dump::Host) && !jit.dumps(jit::Dump::Plan));
  EXPECT_EQ(jit.dump_at, (std::vector<u64>{0x1000, 32}));
  EXPECT_TRUE(jit.perf_map);
  EXPECT_EQ(options.symbols_path, "System.map");
}

TEST(Options, AllPassesCanBeLeftOutAtOnce) {
  EXPECT_EQ(parsed({"--no-pass", "all"}).config.jit.passes, jit::PassSet());
}

TEST(Options, AValueMayFollowAnEqualsSign) {
  EXPECT_EQ(parsed({"--append=--x y"}).config.boot.command_line, "--x y");
}

TEST(Options, TheLastOneWins) {
  EXPECT_EQ(parsed({"--memory", "1G", "--memory", "64M"}).config.ram_bytes, 64u << 20);
}

TEST(Options, ErrorsNameTheCulpritInOneLine) {
  EXPECT_NE(refused({"--frobnicate"}).find("--frobnicate"), std::string::npos);
  EXPECT_NE(refused({"--disk", "a.img,bus=scsi"}).find("bus=scsi"), std::string::npos);
  EXPECT_NE(refused({"--disk", "a.img,b.img"}).find("'b.img'"), std::string::npos);
  EXPECT_NE(refused({"--disk", ",write=yes"}).find("names no file"), std::string::npos);
  EXPECT_NE(refused({"--disk", "a,write=yes,overlay=o"}).find("exclude each other"), std::string::npos);
  EXPECT_NE(refused({"--disk", "a,media=cdrom,write=yes"}).find("CD-ROM"), std::string::npos);
  EXPECT_NE(refused({"--disk", "a,serial=123456789012345678901"}).find("serial="), std::string::npos);
  EXPECT_NE(refused({"--cdrom", "a,write=yes"}).find("write=yes"), std::string::npos);
  EXPECT_NE(refused({"--cdrom", "a,bus=virtio"}).find("bus=virtio"), std::string::npos);
  EXPECT_NE(refused({"--memory", "lots"}).find("lots"), std::string::npos);
  EXPECT_NE(refused({"--memory", "1"}).find("--memory"), std::string::npos);
  EXPECT_NE(refused({"--log", "pic:debug"}).find("'pic' is no category: there are all, cpu"),
            std::string::npos);
  EXPECT_NE(refused({"--log", "disk,loud:info"}).find("'loud' is no category"), std::string::npos);
  EXPECT_NE(refused({"--memory"}).find("--memory"), std::string::npos);
  EXPECT_NE(refused({"--cpus", "0"}).find("not between 1 and 64"), std::string::npos);
  EXPECT_NE(refused({"--cpus", "65"}).find("not between 1 and 64"), std::string::npos);
  EXPECT_NE(refused({"--cpus", "many"}).find("--cpus 'many'"), std::string::npos);
  EXPECT_NE(refused({"--cpus", "4,cores=3"}).find("sockets=1, cores=3 and threads=1 are 3 processors, not 4"),
            std::string::npos);
  EXPECT_NE(refused({"--cpus", "4,dies=2"}).find("'dies=2'"), std::string::npos);
  EXPECT_NE(refused({"--cpus", "4,cores=2,cores=2"}).find("cores= twice"), std::string::npos);
  EXPECT_NE(refused({"--cpus", "4,threads="}).find("'threads='"), std::string::npos);
  EXPECT_NE(refused({"--quantum", "9-3"}).find("'9-3'"), std::string::npos);
  EXPECT_NE(refused({"--quantum", "long"}).find("'long'"), std::string::npos);
  EXPECT_NE(refused({"--schedule", "pct:3"}).find("pct:DEPTH,LENGTH"), std::string::npos);
  EXPECT_NE(refused({"--schedule", "pct:0,5"}).find("the depth is from 1"), std::string::npos);
  EXPECT_NE(refused({"--serial", "stdio", "--serial", "stdio"}).find("twice"), std::string::npos);
  EXPECT_NE(refused({"--hash-every", "0"}).find("--hash-every 0"), std::string::npos);
  EXPECT_NE(refused({"--trace", "pio,everything"}).find("everything"), std::string::npos);
  EXPECT_NE(refused({"--no-pass", "links,magic"}).find("'magic' is unknown: there are groups"),
            std::string::npos);
  EXPECT_NE(refused({"--no-pass", "links,"}).find("'links,' has a comma too many"), std::string::npos);
  EXPECT_NE(refused({"--max-block", "49"}).find("between 1 and 48"), std::string::npos);
  EXPECT_NE(refused({"--max-block", "0"}).find("--max-block 0"), std::string::npos);
  EXPECT_NE(refused({"--code-cache", "1K"}).find("256K"), std::string::npos);
  EXPECT_NE(refused({"--jit-threshold", "often"}).find("often"), std::string::npos);
  EXPECT_NE(refused({"--dump", "guest,everything"}).find("everything"), std::string::npos);
  EXPECT_NE(refused({"--at", "0x1000"}).find("--dump"), std::string::npos);
  EXPECT_NE(refused({"--dump", "host", "--at", "here"}).find("here"), std::string::npos);
}

TEST(Options, HelpAndVersionNeedNoKernel) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--help"},
                                                {"run", "--help"},
                                                {"--version"},
                                                {"run", "--memory", "--help"}}) {
    const auto result = parse_options(words);
    ASSERT_TRUE(std::holds_alternative<EarlyExit>(result));
    EXPECT_EQ(std::get<EarlyExit>(result).exit_code, 0);
  }
  const std::string help = std::get<EarlyExit>(parse_options({"run", "--help"})).text;
  EXPECT_LE(std::count(help.begin(), help.end(), '\n'), 56) << "two screens of 28 lines";
  for (std::size_t at = 0; at < help.size(); at = help.find('\n', at) + 1)
    EXPECT_LE(help.find('\n', at) - at, 120u) << help.substr(at, 120);
  EXPECT_EQ(std::get<EarlyExit>(parse_options({})).exit_code, 2);
  EXPECT_EQ(std::get<EarlyExit>(parse_options({"run"})).exit_code, 2);
}

TEST(Options, VersionNamesTheBuild) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--version"}, {"run", "x.img", "--version"}})
    EXPECT_EQ(std::get<EarlyExit>(parse_options(words)).text, version_line());
  EXPECT_EQ(version_line().find(std::string(version_text()) + ", "), 0u);
  EXPECT_NE(version_line().find(" build\n"), std::string::npos);
}

/// Every row is in every form of the manual, takes the words that completion offers, and has a name of its own.
TEST(OptionRows, AllFormsHaveThemAll) {
  const std::string help = help_text(run_manual());
  const std::string forms[] = {man_page(), bash_completion(), markdown_options()};
  std::set<std::string_view> names;
  for (const ManualGroup& group : run_manual().groups) {
    EXPECT_NE(help.find('\n' + std::string(group.heading)), std::string::npos) << group.heading;
    for (const OptionText& option : group.options) {
      EXPECT_TRUE(names.insert(option.name).second) << option.name;
      EXPECT_FALSE(option.help.empty() || option.help.ends_with('.')) << option.name;
      EXPECT_TRUE(option.more.empty() || option.more.ends_with('.')) << option.name;
      EXPECT_NE(help.find(option.name), std::string::npos) << option.name;
      if (option.is_argument()) continue;
      std::string in_roff(option.name);
      for (std::size_t at = 0; (at = in_roff.find('-', at)) != std::string::npos; at += 2)
        in_roff.insert(at, 1, '\\');
      EXPECT_NE(forms[0].find("\\fB" + in_roff + "\\fR"), std::string::npos) << option.name;
      EXPECT_TRUE(forms[1].find(std::string(option.name) + ' ') != std::string::npos ||
                  forms[1].find(std::string(option.name) + '\'') != std::string::npos)
          << option.name;
      EXPECT_NE(forms[2].find("| `" + std::string(option.name)), std::string::npos) << option.name;
    }
  }
}

TEST(OptionRows, TheWordsThatCompletionOffersAreTaken) {
  const std::string schedule = testing::TempDir() + "reprise-schedule-" + std::to_string(getpid());
  std::ofstream(schedule) << "0/5228/1\n";
  for (const ManualGroup& group : run_manual().groups) {
    for (const OptionText& option : group.options) {
      std::istringstream words{std::string(option.words)};
      for (std::string word; words >> word;) {
        if (option.name == "--schedule" && word.ends_with(':'))
          word += word == "list:" ? "0/5228/1" : schedule;
        else if (word.ends_with(':') || word == "failure=")
          word += "path";
        std::vector<std::string> command = {"run", "debian.img", std::string(option.name), word};
        if (option.name == "--watchdog-action") command.insert(command.end(), {"--device", "i6300esb"});
        if (word == "debug-exit") command.insert(command.end(), {"--debug-exit", "0xf4"});
        if (word == "pcie-root-port") command.insert(command.end(), {"--machine", "q35"});
        const machine::DeviceRow* row = option.name == "--device" ? machine::find_device_row(word) : nullptr;
        if (row != nullptr && row->is_drive()) command[3] += ",file=x";
        if (word == "virtio-9p") command[3] += ",path=/,tag=root";
        const auto result = parse_options(command);
        const EarlyExit* exit = std::get_if<EarlyExit>(&result);
        // A host without the JIT refuses the engines that need it.
        if (exit != nullptr && option.name != "--engine") {
          EXPECT_EQ(exit->exit_code, 0) << exit->text;
        }
      }
    }
  }
}

TEST(OptionRows, UsageIsMadeFromThem) {
  EXPECT_EQ(usage_line(run_manual()), "reprise run [IMAGE...] [OPTION...]");
  EXPECT_EQ(usage_line(image_manuals().at(0)),
            "reprise image create FILE [SIZE] [--format raw|qcow2] [--backing FILE]");
}

TEST(Options, ManualNeedsAForm) {
  EXPECT_EQ(std::get<EarlyExit>(parse_options({"manual", "man"})).text, man_page());
  EXPECT_EQ(std::get<EarlyExit>(parse_options({"manual"})).exit_code, 2);
  EXPECT_NE(std::get<EarlyExit>(parse_options({"manual", "html"})).text.find("'html'"), std::string::npos);
}

TEST(Options, AnEndByDebugExitNeedsItsPort) {
  EXPECT_NE(refused({"--expect", "debug-exit"}).find("add --debug-exit"), std::string::npos);
  EXPECT_NE(refused({"--expect", "debug-exit=3"}).find("add --debug-exit"), std::string::npos);
  EXPECT_TRUE(parsed({"--expect", "debug-exit", "--device", "isa-debug-exit"}).expected.has_value());
  EXPECT_TRUE(parsed({"--expect", "debug-exit=3", "--debug-exit", "0xf4"}).expected.has_value());
}

/// A script's variable without a value is not an option that was left out.
TEST(Options, AnEmptyValueIsRefused) {
  EXPECT_EQ(refused({"--expect", ""}),
            "reprise: --expect was given an empty value: give --expect END, or leave it out; see reprise run "
            "--help.\n");
  EXPECT_EQ(parsed({"--append", ""}).config.boot.command_line, "");
  EXPECT_EQ(parsed({"--append=", "--memory", "1G"}).config.ram_bytes, u64{1} << 30);
  for (const ManualGroup& group : run_manual().groups) {
    for (const OptionText& option : group.options) {
      if (option.value.empty() || option.name == "--append" || option.name == "--cdrom" ||
          option.name == "--floppy")
        continue;
      const std::string name(option.name);
      for (const std::vector<std::string>& words : {std::vector<std::string>{name, ""}, {name + "="}})
        EXPECT_NE(refused(words).find(name + " was given an empty value"), std::string::npos)
            << refused(words);
    }
  }
}

TEST(Options, Disks) {
  using namespace machine;
  const auto disks = disk_configs(
      parsed({"first,name.img", "--floppy", "f.img,write=yes", "--cdrom", "", "--disk",
              "a,,b.img,bus=ahci,format=raw,write=yes,serial=S-1", "--disk", "c,overlay=o.qcow2"})
          .config.devices);
  ASSERT_EQ(disks.size(), 5u);
  EXPECT_EQ(disks[0].path, "first,name.img");
  EXPECT_EQ(disks[0].bus, DiskBus::Auto);
  EXPECT_EQ(disks[0].media, std::nullopt);
  EXPECT_FALSE(disks[0].write_through);
  EXPECT_EQ(disks[1].media, DiskMedia::Floppy);
  EXPECT_EQ(disks[1].bus, DiskBus::Floppy);
  EXPECT_TRUE(disks[1].write_through);
  EXPECT_EQ(disks[2].media, DiskMedia::Cdrom);
  EXPECT_EQ(disks[2].path, "");
  EXPECT_EQ(disks[3].path, "a,b.img");
  EXPECT_EQ(disks[3].bus, DiskBus::Ahci);
  EXPECT_EQ(disks[3].format, DiskFormat::Raw);
  EXPECT_TRUE(disks[3].write_through);
  EXPECT_EQ(disks[3].serial, "S-1");
  EXPECT_EQ(disks[4].overlay_path, "o.qcow2");
}

TEST(Options, Devices) {
  using Devices = std::vector<machine::DeviceConfig>;
  const RunOptions options = parsed({"--device", "virtio-rng-pci,id=r,addr=0x10", "--device", "i6300esb",
                                     "--watchdog-action", "none", "--console", "file:x", "--debug-testdev"});
  EXPECT_EQ(options.config.devices,
            (Devices{{.driver = "pc-testdev"},
                     {.driver = "virtio-rng", .id = "r", .place = 16},
                     {.driver = "i6300esb", .properties = {{"action", "none"}}},
                     {.driver = "virtio-console", .properties = {{"target", "file:x"}}}}));
  EXPECT_EQ(options.console->path, "x");
  // A virtio console has the terminal unless it says otherwise.
  EXPECT_EQ(parsed({"--device", "virtconsole"}).com1.kind, SerialTarget::Kind::Null);
  EXPECT_EQ(parsed({"--device", "virtio-console,target=null"}).com1.kind, SerialTarget::Kind::Stdio);
}

TEST(Options, Shares) {
  using Devices = std::vector<machine::DeviceConfig>;
  const RunOptions options =
      parsed({"--share", "/a,,b,tag=x,readonly", "--device", "virtio-9p-pci,path=c,tag=y,owner=real"});
  EXPECT_EQ(
      options.config.devices,
      (Devices{{.driver = "virtio-9p", .properties = {{"path", "/a,b"}, {"tag", "x"}, {"readonly", "yes"}}},
               {.driver = "virtio-9p", .properties = {{"path", "c"}, {"tag", "y"}, {"owner", "real"}}}}));
  for (const auto& [words, part] :
       std::initializer_list<std::pair<std::vector<std::string>, std::string_view>>{
           {{"--share", "/a"}, "it has no tag"},
           {{"--share", ",tag=x"}, "it names no folder: give --share FOLDER,tag=NAME"},
           {{"--device", "virtio-9p-pci"}, "give --share FOLDER,tag=NAME"},
           {{"--device", "virtio-9p-pci,fsdev=a,mount_tag=b"},
            "fsdev= is a property of QEMU's: give --share FOLDER,tag=NAME"},
           {{"--share", "/a,mount_tag=x"}, "give tag=NAME"},
           {{"--share", "/a,tag=x,security_model=none"}, "owner=real for passthrough and none"},
           {{"-virtfs", "local,path=/a,mount_tag=x"}, "give --share FOLDER,tag=NAME"},
           {{"-fsdev", "local,id=a,path=/a"}, "give --share FOLDER,tag=NAME"},
           {{"--share", "/a,tag=x y"}, "tag=x y is not made of"},
           {{"--share", "/a,tag=x,readonly=perhaps"}, "readonly=perhaps is none of yes, no"},
           {{"--share", "/a,tag=x,writable"}, "'writable' is none of path=, tag="},
           {{"--share", "/a,tag=x", "--share", "/b,tag=x"}, "two shares have the tag 'x'"}})
    EXPECT_NE(refused(words).find(part), std::string::npos) << refused(words);
}

TEST(Options, NamesOfFilesBesideASavedStateAreThoseFromHere) {
  RunDraft draft;
  draft.options.load_path = "state";
  draft.loaded = {.program = "", .folder = "/there", .words = {"--share=b,tag=x"}};
  draft.given = {"--rtc", "--net"};
  const std::string here = std::filesystem::current_path().string();
  const std::vector<std::string> words = {"--load",  "state",  "--share",  "c,,d,tag=x",
                                          "--cdrom", "/e.iso", "--memory", "1G"};
  const machine::RunOrigin origin = origin_of(draft, words);
  EXPECT_EQ(origin.folder, "/there");
  EXPECT_EQ(origin.words, (std::vector<std::string>{"--share=b,tag=x", "--share=" + here + "/c,,d,tag=x",
                                                    "--cdrom=/e.iso", "--memory=1G"}));
  draft.loaded.folder = here;
  EXPECT_EQ(origin_of(draft, words).words[1], "--share=c,,d,tag=x");
}

TEST(Options, NamesInsideOfValuesHaveAFolderToo) {
  const std::string here = testing::TempDir() + "options,test";
  std::filesystem::create_directories(here);
  std::ofstream(here + "/own.rom") << "rom";
  const std::string doubled = testing::TempDir() + "options,,test";
  for (const auto& [option, value, placed] : std::initializer_list<std::array<std::string, 3>>{
           {"IMAGE", "a,b", here + "/a,b"},
           {"--kernel", "a", here + "/a"},
           {"--initrd", "a 1,/b,c 2", fmt::format("{0}/a 1,/b,{0}/c 2", here)},
           {"--bios", "ovmf", "ovmf"},
           {"--bios", "./bios", here + "/./bios"},
           {"--disk", "a,,b,overlay=c,write=no", fmt::format("{0}/a,,b,overlay={0}/c,write=no", doubled)},
           {"--cdrom", "", ""},
           {"--cdrom", "a,bus=ahci", doubled + "/a,bus=ahci"},
           {"--share", "a,tag=t", doubled + "/a,tag=t"},
           {"--device", "virtio-blk,file=a,serial=b", "virtio-blk,file=" + doubled + "/a,serial=b"},
           {"--device", "virtio-9p,path=/a,tag=b", "virtio-9p,path=/a,tag=b"},
           {"--device", "e1000,romfile=", "e1000,romfile="},
           {"--device", "e1000,romfile=efi-e1000.rom", "e1000,romfile=efi-e1000.rom"},
           {"--device", "e1000,romfile=own.rom", "e1000,romfile=" + doubled + "/own.rom"},
           {"--device", "e1000,romfile=a/b", "e1000,romfile=" + doubled + "/a/b"},
           {"--device", "virtio-console,target=file:a", "virtio-console,target=file:a"},
           {"--device", "virtserialport,target=file:a", "virtserialport,target=file:a"},
           {"--net", "user,tftp=a,bootfile=b", "user,tftp=" + here + "/a,bootfile=b"},
           {"--net", "hub:a", "hub:" + here + "/a"},
           {"--net", "hub:/a", "hub:/a"}})
    EXPECT_EQ(placed_value(option, value, here), placed);
  for (const OptionGroup<RunDraft>& group : run_option_groups())
    for (const RunOption& row : group.rows)
      EXPECT_TRUE(!row.of_machine || places_files_of(row.name) ||
                  (!row.text().takes_file() && !row.value.starts_with("FOLDER")))
          << row.name << " names a file, and nobody knows how";
}

TEST(Options, AStateOfAnotherFolderIsLoadedWithItsFiles) {
  RunDraft draft;
  take_origin({.program = "", .folder = "/there", .words = {"--disk=a", "--net=hub:c", "--rtc=0"}}, draft,
              Names::OfThisFolder);
  EXPECT_EQ(*draft.options.config.devices.at(0).find("file"), "/there/a");
  EXPECT_EQ(draft.options.config.net.hub_path, "/there/c");
  EXPECT_EQ(draft.loaded.words.at(0), "--disk=a");
  RunDraft wrong;
  EXPECT_THROW(
      take_origin({.program = "", .folder = "/there", .words = {"--dsk=a"}}, wrong, Names::OfThisFolder),
      BadValue);
}

/// States and recordings may be anybody's: what would write files is not theirs to say.
TEST(Options, AStateWritesNoFilesOfTheUsers) {
  for (const char* word :
       {"--json=a", "--serial=file:a", "--trace-file=a", "--dump-screen=a", "--report=a.html",
        "--sound=wav:a", "--gdb=unix:a", "--record=a", "--display=vnc:0.0.0.0:0", "--verbose"})
    for (const Names names : {Names::OfThisFolder, Names::OfItsFolder}) {
      RunDraft draft;
      EXPECT_THROW(take_origin({.program = "", .folder = "/", .words = {"--memory=16M", word}}, draft, names),
                   BadValue)
          << word;
    }
  for (const char* word :
       {"--disk=a,write=yes", "--disk=a,overlay=b", "--device=virtio-blk,file=a,write=yes"}) {
    RunDraft draft;
    EXPECT_THROW(take_origin({.program = "", .folder = "/", .words = {word}}, draft, Names::OfThisFolder),
                 BadValue)
        << word;
  }
}

TEST(Options, DeviceErrorsSayWhatThereIs) {
  const auto has = [](const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
  };
  EXPECT_TRUE(has(refused({"--device", "modem"}), "--device 'modem' is unknown: there are ahci, "));
  EXPECT_TRUE(has(refused({"--device", "modem,help"}), "--device 'modem' is unknown"));
  EXPECT_TRUE(has(refused({"--device", "usb-tablet"}), "is a device of QEMU's: give virtio-tablet"));
  EXPECT_EQ(std::get<EarlyExit>(parse_options({"run", "--device", "ide-hd,file,help"})).exit_code, 0);
  EXPECT_TRUE(has(refused({"--device", "virtio-rng,rate=1"}), "'rate=1' is none of addr=, bus=, id="));
  EXPECT_TRUE(has(refused({"--device", "i6300esb,action=bark"}), "action=bark is none of reset, shutdown"));
  EXPECT_TRUE(has(refused({"--device", "i6300esb,action"}), "'action' is none of action="));
  EXPECT_TRUE(has(refused({"--device", "i6300esb", "--device", "i6300esb"}), "a machine has 1 at most"));
  EXPECT_TRUE(has(refused({"--device", "virtio-rng,addr=1"}), "addr=1 is not from 2 to 31"));
  EXPECT_TRUE(has(refused({"--device", "virtio-rng,id=a", "--device", "i6300esb,id=a"}), "the id 'a'"));
  EXPECT_TRUE(has(refused({"--device", "virtio-rng,id=a b"}), "id=a b is not made of"));
  EXPECT_TRUE(has(refused({"--device", "isa-debug-exit,iobase=lots"}), "iobase=lots is not a port"));
  EXPECT_TRUE(has(refused({"--device", "virtio-blk"}), "names no file"));
  EXPECT_TRUE(has(refused({"--device", "ide-hd,file=a,bus=virtio"}), "bus=virtio is none of ide, ahci"));
  EXPECT_TRUE(has(refused({"--watchdog-action", "reset"}), "add --device i6300esb"));
  EXPECT_TRUE(has(refused({"--console", "null", "--device", "virtio-console"}), "a machine has 1 at most"));
  EXPECT_TRUE(has(refused({"--device", "virtserialport,bus=a"}), "no virtio-serial has id=a"));
  const auto port_refused = [&](std::string first, std::string second, std::string_view part) {
    return has(
        refused({"--device", "virtio-serial", "--device", std::move(first), "--device", std::move(second)}),
        part);
  };
  EXPECT_TRUE(
      port_refused("virtserialport,nr=3", "virtconsole,nr=3", "two ports of a virtio-serial have nr=3"));
  EXPECT_TRUE(port_refused("virtserialport,nr=0", "virtconsole", "cannot be nr=0, which is a console's"));
  EXPECT_TRUE(port_refused("virtserialport,name=a", "virtconsole,name=a",
                           "two ports of a virtio-serial have name=a"));
  EXPECT_TRUE(port_refused("virtserialport,bus=b", "virtconsole", "no virtio-serial has id=b"));
  EXPECT_TRUE(port_refused("virtserialport,nr=31", "virtconsole", "nr=31 is not from 0 to 30"));
  EXPECT_TRUE(
      port_refused("virtconsole,target=stdio", "virtserialport,target=stdio", "stdio was given twice"));
}

TEST(Options, PropertiesAreGivenOnceAndChecked) {
  const auto has = [](const std::string& text, std::string_view part) {
    return text.find(part) != text.npos ? "" : text;
  };
  EXPECT_EQ(has(refused({"--disk", "a,write=yes,write=no"}), "write= was given twice"), "");
  EXPECT_EQ(has(refused({"--disk", "a,file=b"}), "file= was given twice"), "");
  EXPECT_EQ(has(refused({"--device", "virtio-rng,addr=4,addr=5"}), "addr= was given twice"), "");
  EXPECT_EQ(has(refused({"--device", "virtio-rng,id=a,id=a"}), "id= was given twice"), "");
  EXPECT_EQ(has(refused({"--disk", "a,serial=123456789012345678901"}),
                "has 21 characters, and there is room for 20"),
            "");
  EXPECT_EQ(has(refused({"--disk", "a,serial=a b"}), "serial=a b is not made of letters"), "");
  EXPECT_EQ(has(refused({"--disk", "a,serial="}), "serial= is empty"), "");
  EXPECT_EQ(has(refused({"--disk", "a,overlay="}), "overlay= names no file"), "");
  EXPECT_EQ(has(refused({"--disk", "a,bus="}), "bus= is none of ide"), "");
  EXPECT_EQ(has(refused({"--device", "virtio-rnd"}), "did you mean virtio-rng?"), "");
}

TEST(Options, MistakesOfEveryDay) {
  const auto has = [](const std::string& text, std::string_view part) {
    return text.find(part) != text.npos ? "" : text;
  };
  const auto alone = [](std::vector<std::string> words) {
    words.insert(words.begin(), "run");
    const auto result = parse_options(words);
    const EarlyExit* exit = std::get_if<EarlyExit>(&result);
    return exit == nullptr ? std::string("accepted") : exit->text;
  };
  EXPECT_EQ(has(refused({"--mem", "1G"}), "did you mean --memory?"), "");
  EXPECT_EQ(has(refused({"--memory"}), "--memory needs a value: --memory SIZE"), "");
  EXPECT_EQ(has(refused({"-m", "512"}), "-m is an option of QEMU's: give --memory SIZE"), "");
  EXPECT_EQ(has(refused({"-hda", "a.img"}), "give --disk FILE"), "");
  EXPECT_EQ(has(refused({"--display-size", "1366x768"}), "give 1360x768 or 1368x768"), "");
  EXPECT_EQ(has(refused({"--display", "foo"}), "vnc:[HOST:]PORT[,password-file=FILE]"), "");
  EXPECT_EQ(has(refused({"--display", "vnc:0,password=x"}), "give password-file=FILE"), "");
  EXPECT_EQ(has(refused({"--display", "vnc:unix:a,password=x"}), "give password-file=FILE"), "");
  EXPECT_EQ(has(refused({"-nographic"}), "leave it out"), "");
  EXPECT_EQ(has(refused({"-append", "quiet"}), "give --append TEXT"), "");
  EXPECT_EQ(has(refused({"-S"}), "give --paused"), "");
  EXPECT_EQ(has(refused({"-s"}), "give --gdb tcp:1234"), "");
  EXPECT_EQ(has(refused({"--enable-kvm"}), "leave it out"), "");
  for (const char* word : {"-debugcon",    "-watchdog",   "-parallel",        "-action",
                           "-msg",         "-numa",       "-mem-path",        "-mem-prealloc",
                           "-plugin",      "-singlestep", "-one-insn-per-tb", "-jitdump",
                           "-echr",        "-win2k-hack", "-overcommit",      "-tpmdev",
                           "-semihosting", "-qtest",      "-compat",          "-run-with",
                           "-sd",          "-mtdblock",   "-perfmap",         "-dfilter",
                           "-iscsi"})
    EXPECT_EQ(has(refused({word}), fmt::format("{} is an option of QEMU's: ", word)), "");
  EXPECT_EQ(has(refused({"-frobnicate"}), "unknown option or argument '-frobnicate'"), "");
  EXPECT_EQ(has(alone({"--append", "quiet"}), "--append is for a kernel: add --kernel FILE"), "");
  EXPECT_EQ(has(refused({"--append", "console=ttyS0", "quiet"}), "several words of --append stand in quotes"),
            "");
  EXPECT_EQ(has(alone({"--bios", "ovmf", "--initrd", "i"}), "--initrd is for a kernel"), "");
  EXPECT_EQ(has(alone({"a.img,bus=ide"}), "keys need an option: --disk a.img,bus=ide"), "");
  EXPECT_EQ(has(alone({"--memory", "lots"}), "'lots'"), "") << "before: nothing to boot";
  EXPECT_EQ(has(alone({"--at", "1"}), "add --dump"), "") << "before: nothing to boot";
  EXPECT_EQ(has(std::get<EarlyExit>(parse_options({"debian.img"})).text, "reprise run debian.img"), "");
  EXPECT_EQ(has(std::get<EarlyExit>(parse_options({"rum"})).text, "did you mean run?"), "");
  EXPECT_EQ(parsed({"--cpu", "Nehalem"}).remarks,
            std::vector<std::string>{"--cpu Nehalem: the nearest processor here is x86-64-v2."});
  EXPECT_EQ(parsed({"--cpu", "x86-64-v2"}).remarks, std::vector<std::string>());
}

TEST(Options, WhatOneOptionWritesNoOtherUses) {
  const auto has = [](const std::string& text, std::string_view part) {
    return text.find(part) != text.npos ? "" : text;
  };
  const std::string image = testing::TempDir() + "options_test.img";
  std::ofstream(image) << "image";
  EXPECT_EQ(has(refused({"--disk", image, "--json", image}), "was given as a disk and as the report"), "");
  EXPECT_EQ(has(refused({"--disk", image, "--serial", "file:" + image}), "a disk and as the first serial"),
            "");
  EXPECT_EQ(has(refused({"--disk", image + ",write=yes", "--disk", image}), "as a disk and as a disk"), "");
  EXPECT_EQ(has(refused({"--disk", image, "--disk", "b,overlay=" + image}), "as a disk and as an overlay"),
            "");
  EXPECT_EQ(
      has(refused({"--disk", "a,overlay=o", "--disk", "b,overlay=./o"}), "an overlay and as an overlay"), "");
  EXPECT_EQ(has(refused({"--json", "vmlinuz"}), "as the kernel and as the report"), "");
  EXPECT_EQ(has(refused({"--serial", "file:s", "--serial", "file:s"}), "the second serial port's output"),
            "");
  const std::string out = testing::TempDir() + "options_test.json";
  const RunOptions with_report = parsed({"--json", out, "--symbols", image});
  const auto medium = [&](const std::string& path, bool write) {
    machine::DiskConfig config;
    config.path = path;
    config.format = machine::DiskFormat::Raw;
    config.write_through = write;
    const Result<Done> checked = check_medium(with_report, config);
    return checked ? "" : checked.error().message;
  };
  EXPECT_EQ(medium(out, false),
            "'" + out + "' was given as the report, and the run would write to it: give another file.");
  EXPECT_EQ(medium(image, false), "");
  EXPECT_EQ(has(medium(image, true), "was given as the symbols"), "");
  EXPECT_EQ(parsed({"--serial", "file:/dev/null", "--serial", "file:/dev/null"}).remarks.size(), 0u);
  EXPECT_EQ(parsed({"--json", "/dev/stdout", "--dump-screen", "-"}).remarks.size(), 0u);
  const auto twice = parsed({"--disk", image, "--cdrom", image}).remarks;
  ASSERT_EQ(twice.size(), 1u);
  EXPECT_EQ(has(twice[0], "was given twice, as a disk and as a CD-ROM"), "");
  std::remove(image.c_str());
}

TEST(Options, DeviceHelpIsTheRows) {
  const std::string all = std::get<EarlyExit>(parse_options({"run", "--device", "help"})).text;
  for (const machine::DeviceRow* row : machine::device_rows()) {
    EXPECT_NE(all.find(std::string(row->driver) + ' '), std::string::npos) << row->driver;
    const auto one = parse_options({"run", "--device", std::string(row->driver) + ",help"});
    const EarlyExit& exit = std::get<EarlyExit>(one);
    EXPECT_EQ(exit.exit_code, 0);
    for (const machine::PropertySpec& property : row->properties)
      EXPECT_NE(exit.text.find(fmt::format("  {}=", property.name)), std::string::npos) << exit.text;
  }
}

TEST(OptionRows, LogCategoriesAreThoseThatThereAre) {
  std::string words = "all";
  for (const std::string_view category : kLogCategories) words += ' ' + std::string(category);
  for (const ManualGroup& group : run_manual().groups)
    for (const OptionText& option : group.options) {
      if (option.name != "--log") continue;
      EXPECT_EQ(option.words, words);
      for (const std::string_view category : kLogCategories)
        EXPECT_NE(option.more.find(category), std::string::npos) << category;
    }
}

TEST(OptionRows, CompletionKnowsEveryDriver) {
  for (const ManualGroup& group : run_manual().groups)
    for (const OptionText& option : group.options) {
      if (option.name != "--device") continue;
      for (const machine::DeviceRow* row : machine::device_rows())
        EXPECT_NE((' ' + std::string(option.words) + ' ').find(fmt::format(" {} ", row->driver)),
                  std::string::npos)
            << row->driver;
    }
}

TEST(Options, ImagesWithoutAnOptionComeFirst) {
  const auto disks =
      machine::disk_configs(parsed({"--cdrom", "c.iso", "a.img", "--disk", "d.img", "b.img"}).config.devices);
  std::vector<std::string> paths;
  paths.reserve(disks.size());
  for (const machine::DiskConfig& disk : disks) paths.push_back(disk.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"a.img", "b.img", "c.iso", "d.img"}));
}

TEST(Options, BootOrder) {
  const auto result = parse_options({"run", "debian.img", "--boot", "cdrom,disk1,menu=on"});
  ASSERT_TRUE(std::holds_alternative<RunOptions>(result));
  const machine::FirmwareConfig& firmware = std::get<RunOptions>(result).config.firmware;
  EXPECT_EQ(firmware.boot_order, (std::vector<std::string>{"cdrom", "disk1"}));
  EXPECT_TRUE(firmware.boot_menu);
  EXPECT_NE(refused({"--boot", "cdrom"}).find("--boot is for firmware"), std::string::npos);
  for (const char* bad : {"d", "menu=yes", "1", "net", "order=n"}) {
    const auto wrong = parse_options({"run", "debian.img", "--boot", bad});
    ASSERT_TRUE(std::holds_alternative<EarlyExit>(wrong)) << bad;
    EXPECT_NE(std::get<EarlyExit>(wrong).text.find("is none of disk, cdrom, floppy"), std::string::npos)
        << bad;
  }
  const auto once = parse_options({"run", "debian.img", "--boot", "once=cdrom,disk,once=n"});
  ASSERT_TRUE(std::holds_alternative<RunOptions>(once));
  EXPECT_EQ(std::get<RunOptions>(once).config.firmware.first_boot_order,
            (std::vector<std::string>{"cdrom", "network"}));
  EXPECT_EQ(std::get<RunOptions>(once).config.firmware.boot_order, (std::vector<std::string>{"disk"}));
  const auto network = parse_options({"run", "--net", "user", "--boot", "network1,n"});
  ASSERT_TRUE(std::holds_alternative<RunOptions>(network));
  EXPECT_EQ(std::get<RunOptions>(network).config.firmware.boot_order,
            (std::vector<std::string>{"network1", "network"}));
  const auto empty = parse_options({"run", "debian.img", "--boot", "cdrom,,disk"});
  ASSERT_TRUE(std::holds_alternative<EarlyExit>(empty));
  EXPECT_NE(std::get<EarlyExit>(empty).text.find("--boot 'cdrom,,disk' has a comma too many"),
            std::string::npos);
}

TEST(Options, ADiskHasANetworkAndAKernelHasNone) {
  if (!machine::user_network_offered()) GTEST_SKIP() << "no libslirp";
  using Kind = machine::NetConfig::Kind;
  const i64 kFixed = machine::MachineConfig{}.rtc_unix_s;
  const auto config_of = [](std::vector<std::string> words) {
    words.insert(words.begin(), "run");
    const auto result = parse_options(words);
    EXPECT_TRUE(std::holds_alternative<RunOptions>(result)) << words[1];
    return std::get<RunOptions>(result).config;
  };
  const auto cards = [](const machine::MachineConfig& config) {
    return std::ranges::count(config.devices, "virtio-net", &machine::DeviceConfig::driver);
  };
  const bool terminal = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"a.img"}, {"--cdrom", "a.iso"}, {"--boot", "network"}}) {
    const machine::MachineConfig config = config_of(words);
    EXPECT_EQ(config.net.kind, Kind::User);
    EXPECT_EQ(config.net.restricted, !terminal);
    EXPECT_EQ(config.rtc_unix_s == kFixed, !terminal);
    EXPECT_EQ(cards(config), 1);
  }
  const machine::MachineConfig window = config_of({"a.img", "--display", "sdl"});
  EXPECT_FALSE(window.net.restricted);
  EXPECT_NE(window.rtc_unix_s, kFixed);
  EXPECT_EQ(config_of({"a.img", "--display", "vnc:0"}).net.restricted, !terminal) << "scripts look, too";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"a.img", "--net", "none"}, {"--bios", "ovmf"}, {"--kernel", "k", "a.img"}}) {
    const machine::MachineConfig config = config_of(words);
    EXPECT_EQ(config.net.kind, Kind::None);
    EXPECT_EQ(config.rtc_unix_s, kFixed);
    EXPECT_EQ(cards(config), 0);
  }
  const machine::MachineConfig other = config_of({"a.img", "--device", "e1000"});
  EXPECT_EQ(other.net.kind, Kind::User);
  EXPECT_EQ(cards(other), 0);
}

TEST(Options, ADiskNeedsNoKernel) {
  const auto result = parse_options({"run", "debian.img"});
  ASSERT_TRUE(std::holds_alternative<RunOptions>(result));
  EXPECT_TRUE(std::get<RunOptions>(result).config.boot.kernel_path.empty());
}

TEST(Values, Sizes) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("3K"), 3072u);
  EXPECT_EQ(parse_size("512m"), u64{512} << 20);
  EXPECT_EQ(parse_size("2GiB"), u64{2} << 30);
  EXPECT_EQ(parse_size("1T"), u64{1} << 40);
  for (const char* bad : {"", "G", "1X", "1GG", "-1G", " 1G", "1.5", "1.G", ".5G", "1.5.5G", "1.0000001G",
                          "99999999999999999999", "99999999999T", "1e3M"}) {
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_size("1.5G"), u64{3} << 29);
  EXPECT_EQ(parse_size("0.5M"), u64{1} << 19);
  EXPECT_EQ(parse_size("1.3G"), 1'395'863'552u) << "whole pages";
}

TEST(Values, MemoryWithoutAUnitIsInMib) {
  EXPECT_EQ(parse_memory("512"), u64{512} << 20);
  EXPECT_EQ(parse_memory("4096"), u64{4} << 30);
  EXPECT_EQ(parse_memory("536870912"), u64{512} << 20) << "bytes";
  EXPECT_EQ(parse_memory("2K"), 2048u);
  EXPECT_EQ(parse_memory("lots"), std::nullopt);
}

TEST(Values, Numbers) {
  EXPECT_EQ(parse_number("18446744073709551615"), ~u64{0});
  EXPECT_EQ(parse_number("0xff"), 255u);
  for (const char* bad : {"", "0x", "-1", "1e6", "18446744073709551616"})
    EXPECT_EQ(parse_number(bad), std::nullopt);
}

TEST(Values, Seconds) {
  EXPECT_EQ(parse_seconds("0.25"), 0.25);
  for (const char* bad : {"", "0", "-1", "nan", "inf", "1s", "1e300"})
    EXPECT_EQ(parse_seconds(bad), std::nullopt) << bad;
}

TEST(Values, Times) {
  EXPECT_EQ(parse_time("2024-02-29T12:34:56"), 1709210096);
  EXPECT_EQ(parse_time("2025-01-01"), 1735689600);
  EXPECT_EQ(parse_time("0"), 0);
  EXPECT_GT(parse_time("now"), 1'700'000'000);
  for (const char* bad :
       {"", "2023-02-29", "2024-13-01", "2024-02-29T24:00:00", "teatime", "-5", "2024/02/29"}) {
    EXPECT_EQ(parse_time(bad), std::nullopt) << bad;
  }
}

TEST(Values, SerialTargets) {
  EXPECT_EQ(parse_serial("stdio")->kind, SerialTarget::Kind::Stdio);
  EXPECT_EQ(parse_serial("file:a:b")->path, "a:b");
  for (const char* bad : {"", "file:", "tcp:", "tcp:x", "unix:", "STDIO"})
    EXPECT_EQ(parse_serial(bad), std::nullopt) << bad;
}

TEST(Values, SoundTargets) {
  EXPECT_EQ(parse_sound("none")->kind, SoundTarget::Kind::None);
  EXPECT_EQ(parse_sound("sdl")->kind, SoundTarget::Kind::Sdl);
  EXPECT_EQ(parse_sound("wav:a:b")->path, "a:b");
  for (const char* bad : {"", "wav:", "sdl:", "mp3:x", "SDL"}) EXPECT_FALSE(parse_sound(bad)) << bad;
}

TEST(Options, WhereDebuggersConnect) {
  const auto parsed = [](std::string_view text) {
    const Result<GdbAddress> address = parse_gdb_address(text);
    if (!address) return std::string("refused");
    const GdbAddress& at = address.value();
    return fmt::format("{} '{}' '{}' {}", static_cast<int>(at.kind), at.unix_path, at.host, at.port);
  };
  EXPECT_EQ(parsed("-"), "0 '' '' 0");
  EXPECT_EQ(parsed("unix:/tmp/gdb"), "1 '/tmp/gdb' '' 0");
  EXPECT_EQ(parsed("tcp:1234"), "2 '' '' 1234");
  EXPECT_EQ(parsed("tcp::1234"), "2 '' '' 1234");
  EXPECT_EQ(parsed("tcp:localhost:0"), "2 '' 'localhost' 0");
  EXPECT_EQ(parsed("tcp:[::1]:1234"), "2 '' '::1' 1234");
  for (const char* bad : {"", "1234", "tcp:", "tcp:x", "tcp:65536", "tcp:-1", "unix:", "udp:1", "tcp:1:"})
    EXPECT_EQ(parsed(bad), "refused") << bad;
  EXPECT_NE(refused({"--gdb", "1234"}).find("is none of tcp:[HOST:]PORT, unix:PATH, -"), std::string::npos);
  EXPECT_NE(refused({"--gdb", "-", "--serial", "stdio"}).find("--gdb - takes standard input"),
            std::string::npos);
  EXPECT_NE(refused({"--paused", "--serial", "null"}).find("--paused waits for somebody"), std::string::npos);
}

TEST(Options, WhatTheMachineSaysOfItself) {
  const RunOptions options =
      parsed({"--kernel", "k", "--uuid", "00112233-4455-6677-8899-AABBCCDDEEFF", "--smbios",
              "type=1,product=a,,b,serial=7", "--smbios", "type=11,value=x,value=y=z", "--fw-cfg",
              "opt/a,string=b,,c", "--fw-cfg", "opt/d,file=e", "--machine", "q35"});
  const machine::FirmwareConfig& firmware = options.config.firmware;
  EXPECT_EQ(firmware.words.uuid.value()[1], 0x11);
  EXPECT_EQ(firmware.words.uuid.value()[15], 0xff);
  EXPECT_EQ(firmware.words.product, "a,b");
  EXPECT_EQ(firmware.words.serial, "7");
  EXPECT_EQ(firmware.words.oem_strings, (std::vector<std::string>{"x", "y=z"}));
  ASSERT_EQ(firmware.files.size(), 2U);
  EXPECT_EQ(firmware.files[0].text, "b,c");
  EXPECT_EQ(firmware.files[1].path, "e");
  EXPECT_EQ(options.config.chipset, devices::Chipset::Q35);
  EXPECT_EQ(placed_value("--fw-cfg", "opt/a,file=b", "/here"), "opt/a,file=/here/b");
  EXPECT_EQ(placed_value("--fw-cfg", "opt/a,string=b", "/here"), "opt/a,string=b");
  const auto why_not = [](std::string option, std::string value) {
    return refused({"--kernel", "k", std::move(option), std::move(value)});
  };
  const auto has = [](const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
  };
  EXPECT_TRUE(has(why_not("--uuid", "0011"), "such as 550e8400"));
  EXPECT_TRUE(has(why_not("--smbios", "product=x"), "does not begin with type="));
  EXPECT_TRUE(has(why_not("--smbios", "type=2,product=x"), "type=2 is none of"));
  EXPECT_TRUE(has(why_not("--smbios", "type=1,colour=x"), "'colour' is none of manufacturer="));
  EXPECT_TRUE(has(why_not("--smbios", "type=1,uuid=x"), "uuid=x is not such as"));
  EXPECT_TRUE(has(why_not("--smbios", "type=3,serial"), "'serial' has no value"));
  EXPECT_TRUE(has(why_not("--fw-cfg", "etc/e820,string=x"), "does not begin with opt/"));
  EXPECT_TRUE(has(why_not("--fw-cfg", "opt/x"), "either string=TEXT or file=FILE"));
  EXPECT_TRUE(
      has(why_not("--fw-cfg", "opt/" + std::string(60, 'x') + ",string="), "from 1 to 55 characters"));
  EXPECT_TRUE(has(why_not("--machine", "isapc"), "none of pc, q35, microvm"));
  EXPECT_TRUE(has(why_not("--machine", "q35,acpi=off"), "a q35 has nothing to choose"));
  EXPECT_TRUE(has(why_not("--machine", "microvm,acpi=maybe"), "'acpi=maybe' is none of acpi, pic,"));
  EXPECT_TRUE(has(why_not("--machine", "microvm,pcie=off"), "'pcie=off' is none of acpi, pic,"));
  const machine::MachineConfig microvm =
      parsed({"--kernel", "k", "--machine", "microvm,acpi=off,pic=off,force-legacy=off,rtc=on"}).config;
  EXPECT_EQ(microvm.chipset, devices::Chipset::Microvm);
  EXPECT_FALSE(microvm.microvm.acpi || microvm.microvm.pic || microvm.microvm.force_legacy);
  EXPECT_TRUE(microvm.microvm.rtc && microvm.microvm.pit && microvm.microvm.isa_serial);
  const auto on_microvm = [&](std::string option, std::string value) {
    return refused({"--kernel", "k", "--machine", "microvm", std::move(option), std::move(value)});
  };
  EXPECT_TRUE(has(on_microvm("--device", "e1000"), "e1000: a microvm has no PCI"));
  EXPECT_TRUE(has(on_microvm("--device", "virtio-rng,addr=5"), "a microvm has no PCI slots"));
  EXPECT_TRUE(has(on_microvm("--disk", "a,bus=ide"), "a microvm has no bus=ide"));
  EXPECT_TRUE(has(on_microvm("--device", "floppy,file=a"), "a microvm has no floppy drives"));
  EXPECT_TRUE(has(on_microvm("--device", "ide-cd"), "a microvm has no IDE"));
  EXPECT_TRUE(has(refused({"--machine", "q35", "--disk", "a,bus=ide"}), "a q35 has no IDE"));
}

}  // namespace
}  // namespace reprise::frontend
