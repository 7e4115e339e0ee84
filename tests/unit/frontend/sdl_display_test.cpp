// A window without a desktop (SDL's dummy driver): events of SDL become input, and pictures come.
#include "frontend/display/sdl_display.h"

#include <SDL2/SDL.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <thread>

#include "machine/outside/sink_names.h"
#include "machine/screen/picture_file.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::frontend {
namespace {

using machine::Guest;
using machine::LoggedEvent;

constexpr u16 kCtrlAlt = KMOD_LCTRL | KMOD_LALT;

void push_key(SDL_Scancode scancode, bool down, u16 mod = 0, SDL_Keycode sym = 0) {
  SDL_Event event = {};
  event.type = down ? SDL_KEYDOWN : SDL_KEYUP;
  event.key.keysym.scancode = scancode;
  event.key.keysym.sym = sym;
  event.key.keysym.mod = mod;
  SDL_PushEvent(&event);
}

void push_close() {
  SDL_Event event = {};
  event.type = SDL_WINDOWEVENT;
  event.window.event = SDL_WINDOWEVENT_CLOSE;
  SDL_PushEvent(&event);
}

void push_button(u8 button, bool down) {
  SDL_Event event = {};
  event.type = down ? SDL_MOUSEBUTTONDOWN : SDL_MOUSEBUTTONUP;
  event.button.button = button;
  SDL_PushEvent(&event);
}

void push_motion(int xrel, int yrel) {
  SDL_Event event = {};
  event.type = SDL_MOUSEMOTION;
  event.motion.xrel = xrel;
  event.motion.yrel = yrel;
  SDL_PushEvent(&event);
}

class SdlDisplayTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("SDL_VIDEODRIVER", "dummy", 1);
    setenv("SDL_RENDER_DRIVER", "software", 1);
  }

  /// Runs a guest that spins, with a window, and `hands` on another thread once it runs. They must end the run.
  void with_window(const std::function<void()>& hands) {
    Result<std::unique_ptr<Display>> window = open_sdl_display(
        *guest_.machine, std::make_shared<ViewMutex>(), [this](std::string_view text) { said_ = text; });
    ASSERT_TRUE(window.ok()) << window.error().message;
    EXPECT_EQ(window.value()->name(), "sdl");
    std::thread other([&] {
      wait_until([] { return true; });
      hands();
    });
    machine::RunLimits limits = machine::kADay;
    limits.wall_timeout_s = 60;
    const machine::RunResult result = guest_.run(limits);
    other.join();
    EXPECT_EQ(result.reason, machine::ExitReason::Quit) << result.message;
  }

  /// `condition` holds on the machine's thread. False: the run is over.
  bool wait_until(const std::function<bool()>& condition) {
    for (;;) {
      bool holds = false;
      if (!guest_.machine->host_calls().run([&] { holds = condition(); })) return false;
      if (holds) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  bool wait_for_events(u64 count) {
    return wait_until([&] { return guest_.machine->outside().events() >= count; });
  }
  /// Ctrl and Alt stay down.
  void pause_by_keys() {
    push_key(SDL_SCANCODE_LCTRL, true);
    push_key(SDL_SCANCODE_LALT, true, KMOD_LCTRL);
    // It does nothing before the first picture, which the test cannot see.
    std::this_thread::sleep_for(std::chrono::seconds(1));
    push_key(SDL_SCANCODE_P, true, kCtrlAlt);
    EXPECT_TRUE(wait_until([&] { return guest_.machine->stopped(); }));
  }
  void end() {
    u64 events = 0;
    wait_until([&] {
      events = guest_.machine->outside().events();
      return true;
    });
    push_close();
    wait_for_events(events + 1);
    push_close();
  }
  LoggedEvent logged(std::size_t index) const { return guest_.machine->recorder().events().at(index); }

  Guest guest_{machine::kSpin};
  std::string said_;  // by the window, once it is gone
};

TEST_F(SdlDisplayTest, KeysAndTheMouseReachTheGuest) {
  with_window([&] {
    push_motion(7, 7);  // nobody has taken the mouse yet
    push_key(SDL_SCANCODE_A, true);
    push_key(SDL_SCANCODE_A, false);
    push_button(SDL_BUTTON_LEFT, true);  // takes it
    push_button(SDL_BUTTON_LEFT, false);
    push_button(SDL_BUTTON_RIGHT, true);
    push_button(SDL_BUTTON_RIGHT, false);
    wait_for_events(4);
    push_motion(3, -2);  // now: taking the mouse drops the motion that waits
    wait_for_events(5);
    end();
  });
  ASSERT_EQ(guest_.machine->outside().events(), 6u);
  const auto down = std::get<machine::KeyEvent>(logged(0).event);
  EXPECT_EQ(name_of(down.key), "a");
  EXPECT_TRUE(down.down);
  EXPECT_FALSE(std::get<machine::KeyEvent>(logged(1).event).down);
  EXPECT_EQ(std::get<machine::PointerEvent>(logged(2).event).change.buttons, pointer_buttons::kRight);
  EXPECT_EQ(std::get<machine::PointerEvent>(logged(3).event).change.buttons, 0);
  const PointerChange moved = std::get<machine::PointerEvent>(logged(4).event).change;
  EXPECT_EQ(moved.motion, PointerChange::Motion::Relative);
  EXPECT_EQ(moved.x, 3);
  EXPECT_EQ(moved.y, -2);
  EXPECT_EQ(logged(5).sink, machine::kPowerButtonSink);
}

TEST_F(SdlDisplayTest, KeysWithCtrlAndAltActAndLetGo) {
  with_window([&] {
    pause_by_keys();
    // Dvorak's P has the place of a US keyboard's R.
    push_key(SDL_SCANCODE_R, true, kCtrlAlt, SDLK_p);
    EXPECT_TRUE(wait_until([&] { return !guest_.machine->stopped(); }));
    push_key(SDL_SCANCODE_O, true, kCtrlAlt);
    push_key(SDL_SCANCODE_LCTRL, false);
    wait_for_events(5);
    push_key(SDL_SCANCODE_F, true, kCtrlAlt);
    push_key(SDL_SCANCODE_M, true, kCtrlAlt);
    push_key(SDL_SCANCODE_M, true, kCtrlAlt);
    end();
  });
  ASSERT_EQ(guest_.machine->outside().events(), 6u);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto key = std::get<machine::KeyEvent>(logged(i).event);
    EXPECT_EQ(key.down, i < 2) << i;
    EXPECT_TRUE(name_of(key.key) == "ctrl" || name_of(key.key) == "alt");
  }
  EXPECT_EQ(logged(4).sink, machine::kPowerButtonSink);
}

TEST_F(SdlDisplayTest, ScreenshotsAreThePicture) {
  const std::filesystem::path before = std::filesystem::current_path();
  char folder[] = "/tmp/reprise-window-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  std::filesystem::current_path(folder);
  const std::string name = machine::png_is_offered() ? "reprise-1.png" : "reprise-1.ppm";
  with_window([&] {
    // Before the first picture there is nothing to write.
    for (int i = 0; i < 1000 && !std::filesystem::exists(name); ++i) {
      push_key(SDL_SCANCODE_S, true, kCtrlAlt);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    end();
  });
  ASSERT_TRUE(std::filesystem::exists(name));
  EXPECT_GT(std::filesystem::file_size(name), 100u);
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
}

TEST_F(SdlDisplayTest, LookingChangesNothing) {
  const auto hash = [](Guest& guest) {
    machine::RunLimits limits = machine::kADay;
    limits.stop_at_retired = 50'000'000;
    return guest.run(limits).state_hash;
  };
  // The guest sees the file's name.
  const machine::boot::TemporaryFile file(Guest::image(machine::kSpin));
  Guest alone(file, {});
  const u64 expected = hash(alone);
  Guest watched(file, {});
  const auto window =
      open_sdl_display(*watched.machine, std::make_shared<ViewMutex>(), [](std::string_view) {});
  ASSERT_TRUE(window.ok());
  EXPECT_EQ(hash(watched), expected);
}

TEST_F(SdlDisplayTest, ThereIsOneWindow) {
  const auto first =
      open_sdl_display(*guest_.machine, std::make_shared<ViewMutex>(), [](std::string_view) {});
  ASSERT_TRUE(first.ok());
  const auto second =
      open_sdl_display(*guest_.machine, std::make_shared<ViewMutex>(), [](std::string_view) {});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("one window already"), std::string::npos);
}

TEST_F(SdlDisplayTest, WithoutItsDesktopTheRunGoesOn) {
  with_window([&] {
    pause_by_keys();
    SDL_Event quit = {};
    quit.type = SDL_QUIT;
    SDL_PushEvent(&quit);
    // Nobody else could.
    EXPECT_TRUE(wait_until([&] { return !guest_.machine->stopped(); }));
    EXPECT_TRUE(wait_until([&] { return guest_.machine->inbox().closed(); }));
    guest_.machine->request_end(machine::ExitReason::Quit, 0);
    guest_.machine->inbox().wake();
  });
  EXPECT_NE(said_.find("goes on without"), std::string::npos) << said_;
  // What the window could not.
  for (u32 id = 1; id < 16; ++id) {
    SDL_Window* const window = SDL_GetWindowFromID(id);
    if (window == nullptr) continue;
    SDL_DestroyRenderer(SDL_GetRenderer(window));
    SDL_DestroyWindow(window);
  }
  SDL_QuitSubSystem(SDL_INIT_VIDEO);
}

TEST_F(SdlDisplayTest, WithoutADesktopASentenceSaysSo) {
  setenv("SDL_VIDEODRIVER", "there-is-no-such-driver", 1);
  const auto window =
      open_sdl_display(*guest_.machine, std::make_shared<ViewMutex>(), [](std::string_view) {});
  ASSERT_FALSE(window.ok());
  EXPECT_NE(window.error().message.find("--display sdl"), std::string::npos);
}

}  // namespace
}  // namespace reprise::frontend
