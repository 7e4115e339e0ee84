// Events and their sinks, the log, and what waits.
#include "machine/outside/outside.h"

#include <gtest/gtest.h>

namespace reprise::machine {
namespace {

struct World {
  World() {
    outside.on_logged([this](LoggedEvent logged) { log.push_back(std::move(logged)); });
    outside.add_sink({.name = "com1",
                      .type = EventType::Bytes,
                      .room = [this] { return room; },
                      .take =
                          [this](const Event& event) {
                            for (const u8 byte : std::get<BytesEvent>(event).bytes)
                              got += static_cast<char>(byte);
                            room = 0;
                          }});
    outside.add_sink(
        {.name = "button", .type = EventType::Button, .room = always_room, .take = [this](const Event&) {
           got += "!";
         }});
    outside.add_sink({.name = "keyboard",
                      .type = EventType::Key,
                      .room = [this] { return keys_room; },
                      .take =
                          [this](const Event& event) {
                            got += name_of(std::get<KeyEvent>(event).key);
                            --keys_room;
                          }});
  }
  void post(const std::string& sink, Event event) { outside.inbox().post({sink, std::move(event)}); }

  std::string got;
  std::size_t room = 100, keys_room = 1;
  u64 now = 7;
  std::vector<LoggedEvent> log;
  Outside outside{[this] { return Position{now, 10 * now, 0}; }};
};

BytesEvent bytes(std::string_view text) { return {{text.begin(), text.end()}}; }

TEST(Outside, EventsGoToTheSinkThatRegisteredForThem) {
  World world;
  EXPECT_FALSE(world.outside.waits());
  world.post("com1", bytes("ab"));
  world.post("button", ButtonEvent{});
  world.post("com1", bytes("c"));
  world.post("button", bytes("not a button"));
  world.post("nobody", ButtonEvent{});
  EXPECT_TRUE(world.outside.waits());
  world.outside.let_in();
  EXPECT_EQ(world.got, "ab!") << "what was typed before a button is there before it";
  world.room = 100;
  world.outside.let_in();
  EXPECT_EQ(world.got, "ab!c");
  EXPECT_FALSE(world.outside.waits());
  ASSERT_EQ(world.log.size(), 3u);
  EXPECT_EQ(world.log[0].sink, "com1");
  EXPECT_EQ(world.log[1].sink, "button");
  EXPECT_EQ(world.log[1].at.retired, 7u);
  EXPECT_EQ(world.log[1].at.virtual_ns, 70u);
  EXPECT_EQ(type_of(world.log[0].event), EventType::Bytes);
}

TEST(Outside, WhatHasNoRoomWaits) {
  World world;
  world.room = 2;
  world.post("com1", bytes("abcde"));
  for (const char* key : {"1", "2", "3"}) world.post("keyboard", KeyEvent{find_key(key)->key, true});
  world.outside.let_in();
  EXPECT_EQ(world.got, "ab1");
  EXPECT_TRUE(world.outside.waits());
  world.outside.let_in();
  EXPECT_EQ(world.got, "ab1");
  world.now = 8;
  world.room = 10;
  world.keys_room = 5;
  world.outside.let_in();
  EXPECT_EQ(world.got, "ab1cde23");
  EXPECT_FALSE(world.outside.waits());
  EXPECT_EQ(world.log.back().at.retired, 8u);
}

TEST(Outside, AnswersOfTheHostAreInTheSameLog) {
  World world;
  world.post("button", ButtonEvent{});
  world.outside.let_in();
  world.now = 9;
  world.outside.answered("disk0", "read 512 at 0", {1});
  ASSERT_EQ(world.log.size(), 2u);
  const LoggedEvent& logged = world.log[1];
  EXPECT_EQ(logged.sink, "disk0");
  EXPECT_EQ(logged.at.retired, 9u);
  EXPECT_EQ(std::get<AnswerEvent>(logged.event).question, "read 512 at 0");
  EXPECT_EQ(std::get<AnswerEvent>(logged.event).answer, std::vector<u8>{1});
}

TEST(Outside, WhatWaitsIsSaved) {
  World world;
  world.room = world.keys_room = 0;
  world.post("com1", bytes("abc"));
  world.post("keyboard", KeyEvent{find_key("k")->key, true});
  world.outside.let_in();
  Archive archive;
  world.outside.serialize(archive);
  World copy;
  Archive load(archive.bytes());
  copy.outside.serialize(load);
  ASSERT_TRUE(load.ok());
  EXPECT_TRUE(copy.outside.waits());
  copy.outside.let_in();
  EXPECT_EQ(copy.got, "abck");
  for (std::size_t cut = 0; cut < archive.bytes().size(); ++cut) {
    World refusing;
    Archive part(archive.bytes().first(cut));
    refusing.outside.serialize(part);
    EXPECT_FALSE(part.ok());
  }
}

TEST(Outside, EveryTypeOfEventComesBack) {
  const PointerChange moved = {
      .motion = PointerChange::Motion::Relative, .x = -3, .y = 4, .wheel = -1, .buttons = 5};
  const Event events[] = {BytesEvent{{1, 2}},   KeyEvent{find_key("f12")->key, true},
                          MediumEvent{"eject"}, MediumEvent{"insert x"},
                          ButtonEvent{},        AnswerEvent{"why", {8}},
                          PointerEvent{moved}};
  for (Event event : events) {
    Archive archive;
    serialize_event(archive, event);
    Event copy;
    Archive load(archive.bytes());
    serialize_event(load, copy);
    ASSERT_TRUE(load.ok() && load.at_end());
    EXPECT_EQ(type_of(copy), type_of(event));
    Archive again;
    serialize_event(again, copy);
    EXPECT_TRUE(std::ranges::equal(again.bytes(), archive.bytes()));
    EXPECT_NE(name_of(type_of(event)), "unknown");
  }
  const u8 unknown[] = {7};
  Archive load(unknown);
  Event event;
  serialize_event(load, event);
  EXPECT_FALSE(load.ok());
}

}  // namespace
}  // namespace reprise::machine
