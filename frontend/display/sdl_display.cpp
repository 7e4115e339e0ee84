#include "frontend/display/sdl_display.h"

#include <SDL2/SDL.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <future>
#include <mutex>
#include <thread>

#include "frontend/display/picture_place.h"
#include "frontend/display/usb_keys.h"
#include "frontend/display/window_title.h"
#include "frontend/display/x11_errors.h"
#include "machine/machine.h"
#include "machine/outside/sink_names.h"
#include "machine/screen/picture_file.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {
namespace {

using HostClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kStatusInterval{1};
constexpr std::chrono::seconds kNoteTime{5};
constexpr std::chrono::seconds kPatience{2};
/// The longest sleep: there may be a new picture. To be woken instead would take an event, which SDL sends over a second
/// connection to the X server, from the thread that pushes it.
constexpr int kWaitMs = 15;
constexpr unsigned kMostScreenshots = 9999;
constexpr PictureShape kFirstShape{720, 400, true};

struct ButtonRow {
  u8 sdl;
  u8 ours;
};
constexpr ButtonRow kButtons[] = {{SDL_BUTTON_LEFT, pointer_buttons::kLeft},
                                  {SDL_BUTTON_MIDDLE, pointer_buttons::kMiddle},
                                  {SDL_BUTTON_RIGHT, pointer_buttons::kRight},
                                  {SDL_BUTTON_X1, pointer_buttons::kSide},
                                  {SDL_BUTTON_X2, pointer_buttons::kExtra}};

struct FreeWindow {
  void operator()(SDL_Window* window) const { SDL_DestroyWindow(window); }
};
struct FreeRenderer {
  void operator()(SDL_Renderer* renderer) const { SDL_DestroyRenderer(renderer); }
};
struct FreeTexture {
  void operator()(SDL_Texture* texture) const { SDL_DestroyTexture(texture); }
};

PictureShape shape_of(const devices::Picture& picture) {
  if (picture.width == 0) return kFirstShape;
  return {static_cast<int>(picture.width), static_cast<int>(picture.height), picture.fills_4_to_3};
}

class SdlDisplay final : public Display {
 public:
  SdlDisplay(machine::Machine& machine, std::shared_ptr<ViewMutex> views, SayToUser say)
      : machine_(machine), feed_(machine.screen()), views_(std::move(views)), say_(std::move(say)) {}
  ~SdlDisplay() override;

  Result<Done> open();
  std::string name() const override { return "sdl"; }

 private:
  /// An action that a key with Ctrl and Alt held does.
  struct Hotkey {
    SDL_Scancode scancode;
    void (SdlDisplay::*act)();
  };
  static const Hotkey kHotkeys[];

  // --- All on the window's thread ---
  Result<Done> make_window();
  void run(std::promise<Result<Done>> opened);
  void show();
  /// The desktop has gone, and with it whoever sat at it.
  void go_on_without_window();
  void take(const SDL_Event& event);
  void take_key(const SDL_KeyboardEvent& event);
  void take_button(const SDL_MouseButtonEvent& event);
  void take_motion(const SDL_MouseMotionEvent& event);
  void take_window(const SDL_WindowEvent& event);

  /// Those of the window's pixels that changed, or all.
  void take_picture();
  void open_view();
  void close_view();
  /// To the picture's own size, where the desktop has room for it.
  void fit_window();
  void make_texture();
  void upload(const devices::Rect& piece);
  void draw();
  PicturePlace place() const;
  WindowSize window_size() const;

  void look_at_run();
  void show_title();
  void note(std::string text);
  void press(std::string_view button) {
    machine_.inbox().post({std::string(button), machine::ButtonEvent{}});
  }

  void set_grab(bool grab);
  bool absolute() const { return machine_.input_status().absolute_pointer(); }
  /// The host's pointer is not to be seen where the guest draws its own.
  void show_pointer();
  void toggle_grab() { set_grab(!status_.grabbed); }
  void toggle_full_screen();
  void toggle_scaling();
  void toggle_pause();
  void reset() {
    press(machine::kResetButtonSink);
    // Whoever was asked to switch off is gone.
    status_.asked_to_end = false;
    note("reset");
  }
  void power() {
    press(machine::kPowerButtonSink);
    note("power button pressed");
  }
  void save_screenshot();
  void close_window();

  machine::Machine& machine_;
  machine::ScreenFeed& feed_;
  const std::shared_ptr<ViewMutex> views_;
  const SayToUser say_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> gone_{false};  // the desktop
  std::future<void> ended_;        // of the thread
  int descriptor_ = -1;            // of the connection with an X server, once the window is open

  // The window's thread:
  std::unique_ptr<SDL_Window, FreeWindow> window_;
  std::unique_ptr<SDL_Renderer, FreeRenderer> renderer_;
  std::unique_ptr<SDL_Texture, FreeTexture> texture_;
  std::unique_ptr<machine::ScreenView> view_;
  std::unique_ptr<machine::InputSource> hands_;
  PictureShape shape_ = kFirstShape;
  WindowSize our_size_;  // that of the window as long as nobody has changed it
  Scaling scaling_ = Scaling::Smooth;
  bool stale_ = true;   // the window does not show what it should
  bool begun_ = false;  // there was a picture, so the run has begun
  WindowStatus status_;
  bool paused_here_ = false;  // and nobody else has let it go on
  std::string shown_title_;
  HostClock::time_point looked_at_{};
  HostClock::time_point noted_at_{};
  u64 requests_ = 0;  // of drives, when it was looked
  u64 frames_ = 0;    // both ways, likewise
};

const SdlDisplay::Hotkey SdlDisplay::kHotkeys[] = {
    {SDL_SCANCODE_G, &SdlDisplay::toggle_grab},     {SDL_SCANCODE_F, &SdlDisplay::toggle_full_screen},
    {SDL_SCANCODE_M, &SdlDisplay::toggle_scaling},  {SDL_SCANCODE_P, &SdlDisplay::toggle_pause},
    {SDL_SCANCODE_S, &SdlDisplay::save_screenshot}, {SDL_SCANCODE_R, &SdlDisplay::reset},
    {SDL_SCANCODE_O, &SdlDisplay::power},
};

/// Whether a key is the letter that has place `scancode` on a US keyboard: as the host's layout has it, so that it is what stands on
/// the key, and by its place where letters are others.
bool is_letter(const SDL_Keysym& key, SDL_Scancode scancode) {
  const bool latin = key.sym >= SDLK_a && key.sym <= SDLK_z;
  return latin ? key.sym - SDLK_a == scancode - SDL_SCANCODE_A : key.scancode == scancode;
}

/// SDL draws there, rather than not at all, but is to do so only for who asks for it.
bool draws_where_nobody_looks(std::string_view driver) {
  return (driver == "offscreen" || driver == "dummy") && std::getenv("SDL_VIDEODRIVER") == nullptr;
}

Error sdl_error(std::string_view what) {
  return Error{fmt::format("--display sdl: {}: {}.", what, SDL_GetError())};
}

Result<Done> SdlDisplay::open() {
  std::promise<Result<Done>> opened;
  std::future<Result<Done>> result = opened.get_future();
  std::promise<void> ended;
  ended_ = ended.get_future();
  thread_ = std::thread([this, promise = std::move(opened), end = std::move(ended)]() mutable {
    run(std::move(promise));
    end.set_value();
  });
  return result.get();
}

SdlDisplay::~SdlDisplay() {
  stop_ = true;
  if (!thread_.joinable()) return;
  // A desktop that does not answer any more must not hold up the end of a run.
  if (ended_.wait_for(kPatience) != std::future_status::ready && descriptor_ >= 0)
    ::shutdown(descriptor_, SHUT_RDWR);
  thread_.join();
}

Result<Done> SdlDisplay::make_window() {
  // Signals are the run's.
  SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
  SDL_SetHint(SDL_HINT_QUIT_ON_LAST_WINDOW_CLOSE, "0");
  SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
  if (SDL_WasInit(SDL_INIT_VIDEO) != 0) return wrong_usage("--display sdl: there is one window already.");
  // Before SDL, which goes back to what it found, and behind it, which has its own.
  ignore_x11_errors();
  SDL_Window* window = nullptr;
  SDL_Renderer* renderer = nullptr;
  int init_error = 0;
  const char* driver_name = "";
  our_size_ = natural_size(shape_);
  const bool there = survives_x11_server([&] {
    init_error = SDL_InitSubSystem(SDL_INIT_VIDEO);
    if (init_error != 0) return;
    driver_name = SDL_GetCurrentVideoDriver();
    if (draws_where_nobody_looks(driver_name)) return;
    window = SDL_CreateWindow("Reprise", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, our_size_.width,
                              our_size_.height, SDL_WINDOW_RESIZABLE);
    if (window != nullptr) renderer = SDL_CreateRenderer(window, -1, 0);
  });
  if (!there) {
    gone_ = true;
    return Error{"--display sdl: the desktop went away while the window was opened."};
  }
  if (init_error != 0) return sdl_error("there is no desktop to open a window on");
  if (draws_where_nobody_looks(driver_name)) {
    SDL_QuitSubSystem(SDL_INIT_VIDEO);
    return Error{
        "--display sdl: there is no desktop to open a window on: neither DISPLAY nor WAYLAND_DISPLAY names "
        "one that "
        "answers."};
  }
  window_.reset(window);
  if (window_ == nullptr) return sdl_error("no window can be opened");
  renderer_.reset(renderer);
  if (renderer_ == nullptr) return sdl_error("the window cannot be drawn in");
  ignore_x11_errors();
  outlive_x11_server(window_.get(), gone_);
  descriptor_ = x11_descriptor(window_.get());
  return Done{};
}

void SdlDisplay::run(std::promise<Result<Done>> opened) {
  Result<Done> made = make_window();
  const bool initialized = window_ != nullptr;
  const bool ok = made.ok();
  if (ok) {
    machine_.inbox().add_source();
    machine_.inbox().add_companion();
    hands_ = std::make_unique<machine::InputSource>(machine_.inbox(), machine_.input_status());
    show_title();
    draw();
  }
  opened.set_value(std::move(made));
  if (ok) show();
  // SDL has a second connection, on which it would wait for a server that does not answer.
  if (ok && !gone_) wait_for_x11_server(window_.get());
  SDL_Texture* const texture = texture_.release();
  SDL_Renderer* const renderer = renderer_.release();
  SDL_Window* const window = window_.release();
  // What SDL has on a desktop that has gone cannot be given back to anybody, and it may go now.
  if (initialized && !gone_)
    survives_x11_server([&] {
      SDL_DestroyTexture(texture);
      if (renderer != nullptr) SDL_DestroyRenderer(renderer);
      SDL_DestroyWindow(window);
      SDL_QuitSubSystem(SDL_INIT_VIDEO);
    });
  // The thread is none of SDL's, which would else keep what it noted for it.
  SDL_TLSCleanup();
}

void SdlDisplay::show() {
  open_view();
  while (!stop_ && !gone_) {
    SDL_Event event;
    if (SDL_WaitEventTimeout(&event, kWaitMs)) {
      do take(event);
      while (!stop_ && !gone_ && SDL_PollEvent(&event));
    }
    if (gone_) break;
    take_picture();
    look_at_run();
    show_pointer();
    show_title();
    if (stale_) draw();
  }
  close_view();
  hands_.reset();
  if (gone_) go_on_without_window();
  machine_.inbox().remove_companion();
  machine_.inbox().remove_source();
}

void SdlDisplay::go_on_without_window() {
  if (stop_) return;
  say_("the window is gone, because its desktop is: the run goes on without it.");
  if (paused_here_) toggle_pause();
}

// --- Pictures ---

void SdlDisplay::open_view() {
  const std::lock_guard lock(*views_);
  view_ = feed_.open({.pictures_per_s = 30});
}

void SdlDisplay::close_view() {
  const std::lock_guard lock(*views_);
  view_.reset();
}

WindowSize SdlDisplay::window_size() const {
  WindowSize size;
  if (SDL_GetRendererOutputSize(renderer_.get(), &size.width, &size.height) != 0 || size.width <= 0 ||
      size.height <= 0)
    return natural_size(shape_);
  return size;
}

PicturePlace SdlDisplay::place() const { return place_picture(shape_, window_size(), scaling_); }

void SdlDisplay::take_picture() {
  const std::vector<devices::Rect> pieces = view_->update();
  if (pieces.empty()) return;
  begun_ = true;
  stale_ = true;
  const PictureShape shape = shape_of(view_->picture());
  if (shape != shape_ || texture_ == nullptr) {
    shape_ = shape;
    fit_window();
    make_texture();
    return;
  }
  for (const devices::Rect& piece : pieces) upload(piece);
}

void SdlDisplay::fit_window() {
  WindowSize now;
  SDL_GetWindowSize(window_.get(), &now.width, &now.height);
  // One that somebody has drawn to a size of their own keeps it.
  if (now != our_size_) return;
  WindowSize size = natural_size(shape_);
  SDL_Rect desk = {};
  if (SDL_GetDisplayUsableBounds(SDL_GetWindowDisplayIndex(window_.get()), &desk) == 0) {
    int top = 0, left = 0, bottom = 0, right = 0;
    SDL_GetWindowBordersSize(window_.get(), &top, &left, &bottom, &right);
    desk = {desk.x + left, desk.y + top, desk.w - left - right, desk.h - top - bottom};
    if (desk.w > 0 && desk.h > 0) {
      if (size.width > desk.w || size.height > desk.h) {
        const PicturePlace most = place_picture(shape_, {desk.w, desk.h}, Scaling::Smooth);
        size = {most.width, most.height};
      }
      // Its middle stays, as far as the desktop allows.
      int x = 0, y = 0;
      SDL_GetWindowPosition(window_.get(), &x, &y);
      SDL_SetWindowPosition(
          window_.get(), std::clamp(x + (now.width - size.width) / 2, desk.x, desk.x + desk.w - size.width),
          std::clamp(y + (now.height - size.height) / 2, desk.y, desk.y + desk.h - size.height));
    }
  }
  our_size_ = size;
  SDL_SetWindowSize(window_.get(), size.width, size.height);
}

void SdlDisplay::make_texture() {
  texture_.reset(SDL_CreateTexture(renderer_.get(), SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
                                   shape_.width, shape_.height));
  const devices::Picture& picture = view_->picture();
  if (texture_ == nullptr || picture.width == 0) return;
  SDL_SetTextureScaleMode(texture_.get(),
                          scaling_ == Scaling::Whole ? SDL_ScaleModeNearest : SDL_ScaleModeLinear);
  upload({0, 0, picture.width, picture.height});
}

void SdlDisplay::upload(const devices::Rect& piece) {
  const devices::Picture& picture = view_->picture();
  const SDL_Rect rect = {static_cast<int>(piece.x), static_cast<int>(piece.y), static_cast<int>(piece.width),
                         static_cast<int>(piece.height)};
  SDL_UpdateTexture(texture_.get(), &rect, &picture.pixels[std::size_t{piece.y} * picture.width + piece.x],
                    static_cast<int>(picture.width * sizeof(u32)));
}

void SdlDisplay::draw() {
  stale_ = false;
  SDL_SetRenderDrawColor(renderer_.get(), 0, 0, 0, SDL_ALPHA_OPAQUE);
  SDL_RenderClear(renderer_.get());
  const PicturePlace at = place();
  const SDL_Rect rect = {at.x, at.y, at.width, at.height};
  if (texture_ != nullptr) SDL_RenderCopy(renderer_.get(), texture_.get(), nullptr, &rect);
  SDL_RenderPresent(renderer_.get());
}

// --- Hands ---

void SdlDisplay::take(const SDL_Event& event) {
  switch (event.type) {
    case SDL_KEYDOWN:
    case SDL_KEYUP: take_key(event.key); break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP: take_button(event.button); break;
    case SDL_MOUSEMOTION: take_motion(event.motion); break;
    case SDL_MOUSEWHEEL:
      if (absolute() || status_.grabbed)
        hands_->wheel(event.wheel.direction == SDL_MOUSEWHEEL_FLIPPED ? -event.wheel.y : event.wheel.y);
      break;
    case SDL_WINDOWEVENT: take_window(event.window); break;
    // Signals are the run's, and the last window's end has an event of its own: this is a Wayland compositor that has gone.
    case SDL_QUIT: gone_ = true; break;
    case SDL_RENDER_TARGETS_RESET:
    case SDL_RENDER_DEVICE_RESET:
      make_texture();
      stale_ = true;
      break;
    default: break;
  }
}

void SdlDisplay::take_key(const SDL_KeyboardEvent& event) {
  if (event.repeat != 0) return;
  const bool down = event.type == SDL_KEYDOWN;
  if (down && (event.keysym.mod & KMOD_CTRL) != 0 && (event.keysym.mod & KMOD_ALT) != 0) {
    for (const Hotkey& hotkey : kHotkeys) {
      if (!is_letter(event.keysym, hotkey.scancode)) continue;
      hands_->release_all();
      (this->*hotkey.act)();
      return;
    }
  }
  hands_->key(key_of_usb_usage(static_cast<u32>(event.keysym.scancode)), down);
}

void SdlDisplay::take_button(const SDL_MouseButtonEvent& event) {
  const bool down = event.type == SDL_MOUSEBUTTONDOWN;
  if (!absolute() && !status_.grabbed) {
    if (down && event.button == SDL_BUTTON_LEFT) set_grab(true);
    return;
  }
  for (const ButtonRow& row : kButtons)
    if (row.sdl == event.button) hands_->button(row.ours, down);
}

void SdlDisplay::take_motion(const SDL_MouseMotionEvent& event) {
  if (absolute()) {
    const Dot dot = dot_at(shape_, place(), event.x, event.y);
    hands_->move_to(dot.x, dot.y, shape_.width, shape_.height);
  } else if (status_.grabbed) {
    hands_->move_by(event.xrel, event.yrel);
  }
}

void SdlDisplay::take_window(const SDL_WindowEvent& event) {
  switch (event.event) {
    case SDL_WINDOWEVENT_CLOSE: close_window(); break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
      hands_->release_all();
      set_grab(false);
      break;
    case SDL_WINDOWEVENT_EXPOSED:
    case SDL_WINDOWEVENT_SIZE_CHANGED: stale_ = true; break;
    default: break;
  }
}

void SdlDisplay::set_grab(bool grab) {
  status_.grabbed = grab;
  const SDL_bool on = grab ? SDL_TRUE : SDL_FALSE;
  SDL_SetWindowKeyboardGrab(window_.get(), on);
  SDL_SetWindowMouseGrab(window_.get(), on);
  SDL_SetRelativeMouseMode(grab && !absolute() ? SDL_TRUE : SDL_FALSE);
}

void SdlDisplay::show_pointer() {
  status_.needs_grab = !absolute();
  const int shown = absolute() || status_.grabbed ? SDL_DISABLE : SDL_ENABLE;
  if (SDL_ShowCursor(SDL_QUERY) != shown) SDL_ShowCursor(shown);
  // The guest may have got a tablet, or lost it.
  const SDL_bool relative = status_.grabbed && !absolute() ? SDL_TRUE : SDL_FALSE;
  if (SDL_GetRelativeMouseMode() != relative) SDL_SetRelativeMouseMode(relative);
}

// --- Actions ---

void SdlDisplay::toggle_full_screen() {
  const bool full = (SDL_GetWindowFlags(window_.get()) & SDL_WINDOW_FULLSCREEN_DESKTOP) != 0;
  SDL_SetWindowFullscreen(window_.get(), full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
  stale_ = true;
}

void SdlDisplay::toggle_scaling() {
  scaling_ = scaling_ == Scaling::Smooth ? Scaling::Whole : Scaling::Smooth;
  note(scaling_ == Scaling::Whole ? "whole dots" : "smooth");
  make_texture();
  stale_ = true;
}

void SdlDisplay::toggle_pause() {
  if (!begun_) return;
  [[maybe_unused]] const bool done = machine_.host_calls().run([this] {
    if (machine_.stopped())
      machine_.resume();
    else
      machine_.stop();
    status_.paused = paused_here_ = machine_.stopped();
  });
}

void SdlDisplay::save_screenshot() {
  const devices::Picture& picture = view_->picture();
  if (picture.width == 0) return;
  const bool png = machine::png_is_offered();
  const Result<std::vector<u8>> content =
      png ? machine::png_of(picture) : Result<std::vector<u8>>(machine::ppm_of(picture));
  if (!content) return note(content.error().message);
  for (unsigned number = 1; number <= kMostScreenshots; ++number) {
    const std::string path = fmt::format("reprise-{}.{}", number, png ? "png" : "ppm");
    machine::HostFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file && errno == EEXIST) continue;
    if (!file) return note(fmt::format("{} cannot be written: {}", path, std::strerror(errno)));
    if (machine::host_write(file.get(), 0, content.value()) != devices::BlockStatus::Ok || file.close() != 0)
      return note(fmt::format("{} could not be written whole", path));
    return note("wrote " + path);
  }
  note("there are too many screenshots here");
}

void SdlDisplay::close_window() {
  if (std::exchange(status_.asked_to_end, true)) {
    machine_.request_end(machine::ExitReason::Quit, 0);
    machine_.inbox().wake();
    return;
  }
  // A guest that stands still could not answer.
  if (status_.paused) toggle_pause();
  press(machine::kPowerButtonSink);
}

// --- The status line ---

void SdlDisplay::note(std::string text) {
  status_.note = std::move(text);
  noted_at_ = HostClock::now();
}

void SdlDisplay::look_at_run() {
  const HostClock::time_point now = HostClock::now();
  if (!status_.note.empty() && now - noted_at_ > kNoteTime) status_.note.clear();
  // Before the run nobody would answer.
  if (!begun_ || now - looked_at_ < kStatusInterval) return;
  const double seconds = std::chrono::duration<double>(now - looked_at_).count();
  const u64 instructions = status_.instructions;
  const u64 requests = requests_;
  const u64 frames = frames_;
  const bool answered = machine_.host_calls().run([this] {
    status_.instructions = machine_.retired();
    status_.virtual_ns = machine_.virtual_ns();
    status_.paused = machine_.stopped();
    paused_here_ = paused_here_ && status_.paused;
    requests_ = machine_.disks().requests();
    const machine::NetworkInfo network = machine_.network().info();
    frames_ = network.frames_from_guest + network.frames_to_guest;
  });
  if (!answered) return;
  if (status_.known) status_.mips = static_cast<double>(status_.instructions - instructions) / seconds / 1e6;
  status_.disk = requests_ != requests;
  status_.network = frames_ != frames;
  status_.known = true;
  looked_at_ = now;
}

void SdlDisplay::show_title() {
  const std::string title = window_title(status_);
  if (title == shown_title_) return;
  shown_title_ = title;
  SDL_SetWindowTitle(window_.get(), title.c_str());
}

}  // namespace

bool sdl_is_offered() { return true; }

Result<std::unique_ptr<Display>> open_sdl_display(machine::Machine& machine, std::shared_ptr<ViewMutex> views,
                                                  SayToUser say) {
  auto display = std::make_unique<SdlDisplay>(machine, std::move(views), std::move(say));
  TRY(display->open());
  return std::unique_ptr<Display>(std::move(display));
}

}  // namespace reprise::frontend
