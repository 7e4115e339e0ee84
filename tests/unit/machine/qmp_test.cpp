// QMP on small machines: framing, negotiation, commands, events.
#include "machine/monitor/qmp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "machine/monitor/qmp_commands.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine::monitor {
namespace {

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
    if (!command.name.starts_with("query-") || command.name == "query-balloon") continue;
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
              check(value[name], member.at("type"), where + "." + name);
            else
              EXPECT_TRUE(member.contains("default")) << where << "." << name << " is missing";
          }
          for (const auto& [key, unused] : value.items())
            EXPECT_TRUE(known.contains(key)) << where << "." << key;
        }
      };
  for (const QmpCommand& command : qmp_commands()) {
    const std::string name(command.name);
    if (!name.starts_with("query-") || name == "query-balloon") continue;
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
