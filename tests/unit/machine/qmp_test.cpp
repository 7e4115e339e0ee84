// QMP on small machines: framing, negotiation, commands, events.
#include "machine/monitor/qmp.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "machine/monitor/emulator_tables.h"
#include "machine/monitor/qmp_commands.h"
#include "machine/outside/sink_names.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine::monitor {
namespace {

/// Arguments, or a device.
bool needs_more(std::string_view command) {
  return command == "query-balloon" || command == "query-cpu-model-expansion";
}

struct Qmp : testing::Test {
  Guest guest{kSpin};
  Monitor monitor{*guest.machine, "reprise test"};
  QmpSession session{false};
  std::vector<Json> events;

  Json ask(std::string_view request) {
    events.clear();
    return Json::parse(session.respond(monitor, request, events));
  }
  Json answer_of(std::string_view command) {
    const Json response = ask(Json{{"execute", command}}.dump());
    EXPECT_TRUE(response.contains("return")) << response;
    return response.value("return", Json());
  }
  void negotiate() { EXPECT_EQ(answer_of("qmp_capabilities"), Json::object()); }
};

TEST(QmpFraming, ValuesNeedNothingBetweenThem) {
  std::string received = R"({"a":"}{\"","b":[{}]}{"c":1}  {"d")";
  EXPECT_EQ(take_json(received), R"({"a":"}{\"","b":[{}]})");
  EXPECT_EQ(take_json(received), R"({"c":1})");
  EXPECT_EQ(take_json(received), "");
  received += ":2}\r\n";
  EXPECT_EQ(take_json(received), R"({"d":2})");
  EXPECT_EQ(take_json(received), "");
  received = "quit\n{}";
  EXPECT_EQ(take_json(received), "quit");
  EXPECT_EQ(take_json(received), "{}");
  received = "quit";
  EXPECT_EQ(take_json(received), "");
}

TEST_F(Qmp, CapabilitiesComeFirst) {
  EXPECT_EQ(Json::parse(session.greeting(monitor)).at("QMP").at("version").at("qemu").at("major"), 7);
  EXPECT_EQ(ask(R"({"execute":"query-status"})").at("error").at("class"), "CommandNotFound");
  EXPECT_FALSE(session.takes_events());
  negotiate();
  EXPECT_TRUE(session.takes_events());
  EXPECT_EQ(answer_of("query-status").at("status"), "running");
}

TEST_F(Qmp, TheIdComesBack) {
  negotiate();
  EXPECT_EQ(ask(R"({"execute":"query-name","id":{"a":[1]}})"),
            Json::parse(R"({"return":{},"id":{"a":[1]}})"));
  EXPECT_EQ(ask(R"({"execute":"no-such","id":7})").at("id"), 7);
}

TEST_F(Qmp, StopAndContTellEverybody) {
  negotiate();
  EXPECT_EQ(answer_of("stop"), Json::object());
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].at("event"), "STOP");
  EXPECT_TRUE(guest.machine->stopped());
  EXPECT_EQ(answer_of("query-status").at("running"), false);
  answer_of("stop");
  EXPECT_TRUE(events.empty());
  answer_of("cont");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].at("event"), "RESUME");
  EXPECT_FALSE(guest.machine->stopped());
  answer_of("system_powerdown");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].at("event"), "POWERDOWN");
}

TEST_F(Qmp, EveryQueryAnswers) {
  negotiate();
  for (const QmpCommand& command : qmp_commands()) {
    if (!command.name.starts_with("query-") || needs_more(command.name)) continue;
    answer_of(command.name);
  }
  EXPECT_EQ(answer_of("query-cpus-fast").at(0).at("cpu-index"), 0);
  EXPECT_EQ(answer_of("query-kvm").at("enabled"), false);
  EXPECT_EQ(answer_of("query-version").at("package"), "reprise test");
  EXPECT_EQ(answer_of("query-pci").at(0).at("devices").at(0).at("id").at("vendor"), 0x8086);
  EXPECT_EQ(answer_of("query-memory-size-summary").at("base-memory"), guest.machine->config().ram_bytes);
  EXPECT_EQ(answer_of("query-commands").size(), qmp_commands().size());
}

TEST_F(Qmp, TheSchemaHasAllThatIsServed) {
  negotiate();
  const Json schema = answer_of("query-qmp-schema");
  std::map<std::string, Json> by_name;
  for (const Json& entry : schema) EXPECT_TRUE(by_name.emplace(entry.at("name"), entry).second) << entry;
  const auto is_there = [&](const Json& name) { EXPECT_TRUE(by_name.contains(name)) << name; };
  unsigned commands = 0;
  for (const auto& [name, entry] : by_name) {
    const std::string kind = entry.at("meta-type");
    commands += kind == "command";
    if (kind == "command") is_there(entry.at("ret-type"));
    if (kind == "command" || kind == "event") is_there(entry.at("arg-type"));
    if (kind == "array") is_there(entry.at("element-type"));
    if (kind == "object")
      for (const Json& member : entry.at("members")) is_there(member.at("type"));
  }
  EXPECT_EQ(commands, qmp_commands().size());
  EXPECT_EQ(by_name.at("device_del").at("arg-type"), "q_obj_device_del-arg");
  EXPECT_EQ(
      by_name.at("q_obj_device_del-arg"),
      Json::parse(
          R"({"name":"q_obj_device_del-arg","meta-type":"object","members":[{"name":"id","type":"str"}]})"));
  EXPECT_EQ(by_name.at("DEVICE_DELETED").at("meta-type"), "event");
  EXPECT_EQ(by_name.at("int").at("json-type"), "int");
}

/// Each object that is answered is one that the schema describes.
TEST_F(Qmp, AnswersAreWhatTheSchemaSays) {
  negotiate();
  std::map<std::string, Json> by_name;
  for (const Json& entry : answer_of("query-qmp-schema")) by_name.emplace(entry.at("name"), entry);
  const std::function<void(const Json&, const std::string&, const std::string&)> check =
      [&](const Json& value, const std::string& type, const std::string& where) {
        const Json& entry = by_name.at(type);
        const std::string kind = entry.at("meta-type");
        if (kind == "builtin") {
          const std::string json = entry.at("json-type");
          EXPECT_TRUE(json == "value" || (json == "string" && value.is_string()) ||
                      (json == "int" && value.is_number_integer()) ||
                      (json == "boolean" && value.is_boolean()))
              << where << ": " << value;
        } else if (kind == "array") {
          ASSERT_TRUE(value.is_array()) << where;
          for (const Json& element : value) check(element, entry.at("element-type"), where + "[]");
        } else if (kind == "enum") {
          EXPECT_NE(std::ranges::find(entry.at("values"), value), entry.at("values").end()) << where << value;
        } else {
          ASSERT_TRUE(value.is_object()) << where;
          std::set<std::string> known;
          for (const Json& member : entry.at("members")) {
            const std::string name = member.at("name");
            known.insert(name);
            if (value.contains(name))
              check(value[name], member.at("type"), fmt::format("{}.{}", where, name));
            else
              EXPECT_TRUE(member.contains("default")) << where << "." << name << " is missing";
          }
          for (const auto& [key, unused] : value.items())
            EXPECT_TRUE(known.contains(key)) << where << "." << key;
        }
      };
  for (const QmpCommand& command : qmp_commands()) {
    const std::string name(command.name);
    if (!name.starts_with("query-") || needs_more(name)) continue;
    check(answer_of(name), by_name.at(name).at("ret-type"), name);
  }
}

TEST_F(Qmp, ArgumentsAreCheckedByTheSchema) {
  negotiate();
  const auto refused = [&](std::string_view request) {
    return ask(request).at("error").at("desc").get<std::string>();
  };
  EXPECT_EQ(refused(R"({"execute":"device_del"})"), "Parameter 'id' is missing");
  EXPECT_EQ(refused(R"({"execute":"device_del","arguments":{"id":7}})"),
            "Invalid parameter type for 'id', expected: string");
  EXPECT_EQ(refused(R"({"execute":"device_del","arguments":{"id":"a","x":1}})"),
            "Parameter 'x' is unexpected");
  EXPECT_EQ(refused(R"({"execute":"stop","arguments":{"x":1}})"), "Parameter 'x' is unexpected");
  EXPECT_EQ(ask(R"({"execute":"device_del","arguments":{"id":"a"}})").at("error").at("class"),
            "DeviceNotFound");
}

TEST_F(Qmp, PeoplesLinesAnswerInText) {
  negotiate();
  const auto human = [&](std::string_view line) {
    return ask(Json{{"execute", "human-monitor-command"}, {"arguments", {{"command-line", line}}}}.dump())
        .at("return")
        .get<std::string>();
  };
  EXPECT_NE(human("info status").find("processor"), std::string::npos);
  EXPECT_NE(human("frobnicate").find("There is no command 'frobnicate'"), std::string::npos);
}

TEST_F(Qmp, KeysArePressedTogether) {
  negotiate();
  EXPECT_EQ(
      ask(R"({"execute":"send-key","arguments":{"keys":[{"type":"qcode","data":"ctrl"},{"type":"qcode","data":"a"}]}})"),
      Json::parse(R"({"return":{}})"));
  EXPECT_EQ(ask(R"({"execute":"send-key","arguments":{"keys":[{"type":"qcode","data":"nokey"}]}})")
                .at("error")
                .at("class"),
            "GenericError");
  EXPECT_TRUE(ask(R"({"execute":"send-key"})").contains("error"));
}

TEST_F(Qmp, WhatThereIsComesFromTheTables) {
  EmulatorTables tables;
  tables.types = {{"card-pci", "device", {{"mac", "str"}, {"queues", "int", "how many"}}},
                  {"x-machine", "machine"}};
  tables.boards = {{"pc-7", "pc", "a board", true}};
  tables.options = {"drive", "smp"};
  tables.chardevs = {{"serial0", "pty:/dev/pts/3", "com1"}};
  tables.memories = {{"pc.ram", 4096}};
  tables.io_threads = {"io1"};
  tables.guest_name = "guest";
  monitor.set_tables(tables);
  negotiate();
  EXPECT_EQ(answer_of("query-machines").at(0).at("alias"), "pc");
  EXPECT_EQ(answer_of("query-name"), Json::parse(R"({"name":"guest"})"));
  EXPECT_EQ(answer_of("query-chardev").at(0).at("filename"), "pty:/dev/pts/3");
  EXPECT_EQ(answer_of("query-memdev").at(0).at("size"), 4096);
  EXPECT_EQ(answer_of("query-block").size(), guest.machine->disks().info().size());
  EXPECT_EQ(answer_of("query-iothreads").at(0).at("id"), "io1");
  EXPECT_EQ(answer_of("query-command-line-options").size(), 2U);
  EXPECT_EQ(answer_of("query-mice").at(0).at("current"), true);
  const auto with = [&](std::string_view command, std::string_view name, const Json& value) {
    return ask(Json{{"execute", command}, {"arguments", {{name, value}}}}.dump());
  };
  EXPECT_EQ(with("query-command-line-options", "option", "smp").at("return").size(), 1U);
  EXPECT_TRUE(with("query-command-line-options", "option", "no-such").contains("error"));
  EXPECT_EQ(with("qom-list-types", "implements", "device").at("return"),
            Json::parse(R"([{"name":"card-pci","parent":"device"}])"));
  EXPECT_EQ(with("device-list-properties", "typename", "card-pci").at("return").at(1),
            Json::parse(R"({"name":"queues","type":"int","description":"how many"})"));
  EXPECT_EQ(with("device-list-properties", "typename", "no-card").at("error").at("class"), "DeviceNotFound");
  EXPECT_EQ(with("qom-list-properties", "typename", "Nehalem-x86_64-cpu").at("return").at(0).at("type"),
            "bool");
  EXPECT_EQ(ask(R"({"execute":"query-gic-capabilities"})").at("error").at("class"), "CommandNotFound");
}

TEST_F(Qmp, ProcessorsHaveTheFeaturesOfTheirModel) {
  negotiate();
  const auto expansion = [&](std::string_view model) {
    return ask(R"({"execute":"query-cpu-model-expansion","arguments":{"type":"full","model":)" +
               std::string(model) + "}}");
  };
  const Json nehalem = expansion(R"({"name":"Nehalem"})").at("return").at("model").at("props");
  EXPECT_EQ(nehalem.at("sse4-2"), true);
  EXPECT_EQ(nehalem.at("avx2"), false);
  EXPECT_EQ(
      expansion(R"({"name":"Nehalem","props":{"aes":true}})").at("return").at("model").at("props").at("aes"),
      true);
  for (const std::string_view bad :
       {R"({})", R"({"name":""})", R"({"name":"no-such"})", R"({"name":"max","props":{"aes":1}})",
        R"({"name":"max","props":[1]})", R"({"name":"max","props":{"no-such":true}})",
        R"({"name":"max","props":{"aes,vendor=amd":true}})"})
    EXPECT_TRUE(expansion(bad).contains("error")) << bad;
  const Json definitions = answer_of("query-cpu-definitions");
  for (const Json& one : definitions)
    EXPECT_TRUE(expansion(Json{{"name", one.at("name")}}.dump()).contains("return")) << one;
}

TEST_F(Qmp, MemoryIsDumpedToANewFile) {
  negotiate();
  const std::string path = testing::TempDir() + "qmp_test.core";
  std::filesystem::remove(path);
  const auto dump = [&](const Json& more) {
    Json arguments = {{"paging", false}, {"protocol", "file:" + path}};
    arguments.update(more);
    return ask(Json{{"execute", "dump-guest-memory"}, {"arguments", arguments}}.dump());
  };
  for (const Json& bad : {Json{{"protocol", "fd:x"}}, Json{{"paging", true}}, Json{{"format", "kdump-zlib"}},
                          Json{{"begin", 0}}, Json{{"protocol", "file:"}}})
    EXPECT_TRUE(dump(bad).contains("error")) << bad;
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(answer_of("query-dump").at("status"), "none");
  EXPECT_EQ(dump(Json::object()), Json::parse(R"({"return":{}})"));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].at("event"), "DUMP_COMPLETED");
  EXPECT_EQ(answer_of("query-dump").at("completed"), std::filesystem::file_size(path));
  char head[4] = {};
  std::ifstream(path).read(head, 4);
  EXPECT_EQ(std::string_view(head, 4),
            "\x7f"
            "ELF");
  EXPECT_TRUE(dump(Json::object()).contains("error")) << "no file is replaced";
  std::filesystem::remove(path);
}

TEST_F(Qmp, JobsAreRememberedUntilTheyAreDismissed) {
  negotiate();
  const auto save = [&](std::string_view job, std::string_view tag) {
    return ask(
        Json{{"execute", "snapshot-save"},
             {"arguments", {{"job-id", job}, {"tag", tag}, {"vmstate", "disk0"}, {"devices", Json::array()}}}}
            .dump());
  };
  EXPECT_TRUE(save("../job", "tag").contains("error"));
  // There is no disk that is written.
  EXPECT_EQ(save("job", "tag"), Json::parse(R"({"return":{}})"));
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[2].at("data").at("status"), "aborting");
  EXPECT_EQ(events[3].at("data").at("status"), "concluded");
  EXPECT_TRUE(save("job", "tag").contains("error")) << "the id is in use";
  EXPECT_NE(answer_of("query-jobs").at(0).at("error").get<std::string>().find("No block device"),
            std::string::npos);
  const auto dismiss = [&] { return ask(R"({"execute":"job-dismiss","arguments":{"id":"job"}})"); };
  EXPECT_TRUE(dismiss().contains("return"));
  EXPECT_TRUE(dismiss().contains("error"));
  EXPECT_TRUE(answer_of("query-jobs").empty());
  for (unsigned i = 0; i < 64; ++i) EXPECT_TRUE(save(fmt::format("j{}", i), "tag").contains("return"));
  EXPECT_TRUE(save("j64", "tag").contains("error")) << "there is a limit";
  EXPECT_TRUE(
      ask(R"({"execute":"snapshot-load","arguments":{"job-id":"j","tag":"t","vmstate":"d","devices":[]}})")
          .contains("error"));
}

TEST(QmpDisks, HaveTheNamesOfTheCommandLine) {
  const boot::TemporaryFile image(std::string(64 * kKiB, 'x'));
  MachineConfig config;
  config.devices = {{.driver = "virtio-blk", .properties = {{"file", image.path()}, {"format", "raw"}}}};
  Guest guest(kSpin, config);
  Monitor monitor(*guest.machine, "reprise test");
  EmulatorTables tables;
  tables.disks = {{"disk0", "", "virtio-disk0", "libvirt-1-format", "libvirt-1-storage", true}};
  monitor.set_tables(tables);
  QmpSession session(false);
  std::vector<Json> events;
  const auto ask = [&](std::string_view request) {
    return Json::parse(session.respond(monitor, request, events)).at("return");
  };
  ask(R"({"execute":"qmp_capabilities"})");
  const Json block = ask(R"({"execute":"query-block"})").at(0);
  EXPECT_EQ(block.at("qdev"), "/machine/peripheral/virtio-disk0/virtio-backend");
  EXPECT_EQ(block.at("inserted").at("node-name"), "libvirt-1-format");
  const Json nodes = ask(R"({"execute":"query-named-block-nodes","arguments":{"flat":true}})");
  ASSERT_EQ(nodes.size(), 2U);
  EXPECT_EQ(nodes[1].at("node-name"), "libvirt-1-storage");
  EXPECT_EQ(nodes[1].at("drv"), "file");
  const Json stats = ask(R"({"execute":"query-blockstats","arguments":{"query-nodes":true}})");
  EXPECT_FALSE(stats.at(0).contains("qdev"));
  EXPECT_EQ(stats.at(0).at("node-name"), "libvirt-1-format");
}

TEST(QmpBalloon, TheGuestIsAskedThroughTheInbox) {
  MachineConfig config;
  config.devices = {{.driver = "virtio-balloon", .id = "b0"}};
  Guest guest(kSpin, config);
  Monitor monitor(*guest.machine, "reprise test");
  QmpSession session(false);
  std::vector<Json> events;
  const auto ask = [&](std::string_view request) {
    return Json::parse(session.respond(monitor, request, events));
  };
  ask(R"({"execute":"qmp_capabilities"})");
  const auto target = [&] { return monitor.execute("info balloon", {}).value().json.at("target_pages"); };
  EXPECT_EQ(ask(R"({"execute":"query-balloon"})").at("return").at("actual"), 4 * kMiB);
  EXPECT_EQ(ask(R"({"execute":"balloon","arguments":{"value":3145728}})"), Json::parse(R"({"return":{}})"));
  EXPECT_EQ(target(), 0u) << "not before the inbox is read";
  RunLimits limits;
  limits.stop_at_retired = 1000;
  guest.run(limits);
  EXPECT_EQ(target(), 256u);
  // More than there is is all of it.
  ask(R"({"execute":"balloon","arguments":{"value":9223372036854775807}})");
  limits.stop_at_retired = 2000;
  guest.run(limits);
  EXPECT_EQ(target(), 0u);
  for (const std::string_view bad :
       {"0", "-1", "-9223372036854775808", "1048575", "\"x\"", "1.5", "18446744073709551616"})
    EXPECT_TRUE(
        ask(R"({"execute":"balloon","arguments":{"value":)" + std::string(bad) + "}}").contains("error"))
        << bad;
  EXPECT_EQ(ask(R"({"execute":"qom-list","arguments":{"path":"/machine/peripheral"}})").at("return"),
            Json::parse(R"([{"name":"b0","type":"child<virtio-balloon-pci>"}])"));
  EXPECT_EQ(ask(R"({"execute":"qom-list","arguments":{"path":"/machine/x"}})").at("error").at("class"),
            "DeviceNotFound");
  EXPECT_TRUE(monitor.execute_line("balloon 2").ok());
  EXPECT_FALSE(monitor.execute_line("balloon 0").ok());
  EXPECT_EQ(monitor.execute_line("info balloon").value().text, "balloon: actual=4\n");
}

/// What a recording has may be anybody's.
TEST(QmpBalloon, OtherWordsAreNothing) {
  MachineConfig config;
  config.devices = {{.driver = "virtio-balloon"}};
  Guest guest(kSpin, config);
  RunLimits limits;
  for (const std::string_view text : {"", "pages", "pages x", "pages -1", "pages 4294967296", "give 5"})
    guest.machine->inbox().post({std::string(kBalloonSink), MediumEvent{std::string(text)}});
  limits.stop_at_retired = 1000;
  guest.run(limits);
  Monitor monitor(*guest.machine, "reprise test");
  EXPECT_EQ(monitor.execute("info balloon", {}).value().json.at("target_pages"), 0u);
}

TEST_F(Qmp, ThereMayBeNoBalloon) {
  negotiate();
  EXPECT_TRUE(ask(R"({"execute":"query-balloon"})").contains("error"));
  EXPECT_TRUE(ask(R"({"execute":"balloon","arguments":{"value":3145728}})").contains("error"));
}

TEST_F(Qmp, AnyBytesGiveAnError) {
  negotiate();
  const std::string deep = "{\"execute\":" + std::string(100, '[') + std::string(100, ']') + "}";
  for (const std::string& bad :
       {std::string("quit"), std::string("[]"), std::string("{}"), std::string("{\"execute\":1}"),
        std::string("{\"execute\":\"stop\",\"x\":1}"), std::string("{\"execute\":\"\xff\"}"), deep,
        std::string(R"({"execute":"eject","arguments":{"device":"nodrive"}})"),
        std::string(R"({"execute":"screendump","arguments":{"filename":""}})"),
        std::string(R"({"execute":"set_link","arguments":{"name":"net7","up":true}})")})
    EXPECT_TRUE(ask(bad).contains("error")) << bad;
  EXPECT_FALSE(guest.machine->stopped());
}

TEST(QmpEnd, ShutdownSaysWhy) {
  RunResult result;
  result.reason = ExitReason::PowerOff;
  std::vector<Json> events = qmp_events_of_end(result);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].at("event"), "SHUTDOWN");
  EXPECT_EQ(events[0].at("data"), Json::parse(R"({"guest":true,"reason":"guest-shutdown"})"));
  result.reason = ExitReason::Panic;
  events = qmp_events_of_end(result);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].at("event"), "GUEST_PANICKED");
  EXPECT_EQ(events[1].at("data").at("reason"), "guest-panic");
}

TEST(QmpEvents, OfWhatTheGuestHasBroughtAbout) {
  using Kind = GuestEvent::Kind;
  const auto reset = qmp_events_of({.kind = Kind::Reset, .virtual_ns = 2'000'003'000}, 10);
  ASSERT_EQ(reset.size(), 1U);
  EXPECT_EQ(reset[0], Json::parse(R"({"timestamp":{"seconds":12,"microseconds":3},"event":"RESET",
                                     "data":{"guest":true,"reason":"guest-reset"}})"));
  const auto watchdog = qmp_events_of({.kind = Kind::Watchdog, .action = "inject-nmi"}, 0);
  EXPECT_EQ(watchdog[0].at("data").at("action"), "inject-nmi");
  const auto off = qmp_events_of({.kind = Kind::Off}, 0);
  ASSERT_EQ(off.size(), 2U);
  EXPECT_EQ(off[0].at("data").at("reason"), "guest-shutdown");
  EXPECT_EQ(off[1].at("event"), "STOP");
  RunResult result;
  result.reason = ExitReason::PowerOff;
  EXPECT_EQ(qmp_events_of_end(result, /*was_off=*/true)[0].at("data"),
            Json::parse(R"({"guest":false,"reason":"host-qmp-quit"})"));
}

TEST(QmpEvents, AGuestThatIsOffIsShutDown) {
  Guest guest(kPowerOff);
  Monitor monitor(*guest.machine, "reprise test");
  std::vector<GuestEvent> told;
  std::string status;
  guest.machine->on_guest_event([&](const GuestEvent& event) {
    told.push_back(event);
    status = qmp_status(*guest.machine);
    guest.machine->request_end(ExitReason::Quit, 0);
  });
  RunLimits limits = kADay;
  limits.stays_off = true;
  const RunResult result = guest.machine->run(limits);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, GuestEvent::Kind::Off);
  EXPECT_EQ(status, "shutdown");
  EXPECT_EQ(result.reason, ExitReason::PowerOff) << "the run ends as the guest ended it";
  EXPECT_EQ(result.exit_code, 0);
}

TEST(QmpEvents, AGuestThatIsOffEndsTheRunWhenItIsToGoOn) {
  Guest guest(kPowerOff);
  guest.machine->on_guest_event([&](const GuestEvent&) { guest.machine->resume(); });
  RunLimits limits = kADay;
  limits.stays_off = true;
  EXPECT_EQ(guest.machine->run(limits).reason, ExitReason::PowerOff);
}

}  // namespace
}  // namespace reprise::machine::monitor
