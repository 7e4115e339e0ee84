#include "frontend/display/vnc_display.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <rfb/rfb.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <list>
#include <mutex>
#include <thread>

#include "frontend/display/vnc_keys.h"
#include "frontend/display/vnc_messages.h"
#include "frontend/listener.h"
#include "machine/machine.h"

namespace reprise::frontend {
namespace {

using HostClock = std::chrono::steady_clock;

constexpr std::size_t kMaxViewers = 16;
/// For a handshake, and between the parts of a message.
constexpr std::chrono::seconds kPatience{10};
/// When a part of a message is there: sockets cannot be waited on for a number of bytes.
constexpr int kPartPollMs = 20;
/// A viewer that takes nothing: the library looks every 5 s, and gives up once this has passed.
constexpr int kMaxWriteWaitMs = 1;
// What is shown before the first picture: an empty text screen.
constexpr int kFirstWidth = 720;
constexpr int kFirstHeight = 400;

/// Buttons of a PointerEvent, RFC 6143 section 7.5.5, and the one behind them that viewers use for "back".
struct ButtonRow {
  u8 rfb;
  u8 ours;
};
constexpr ButtonRow kButtons[] = {{0x01, pointer_buttons::kLeft},
                                  {0x02, pointer_buttons::kMiddle},
                                  {0x04, pointer_buttons::kRight},
                                  {0x80, pointer_buttons::kSide}};
constexpr u8 kWheelUp = 0x08;
constexpr u8 kWheelDown = 0x10;

/// A descriptor that others wake a poll() by.
class Wake {
 public:
  Wake() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  int descriptor() const { return event_.get(); }
  void give() const {
    const u64 one = 1;
    [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
  }
  void take() const {
    u64 count = 0;
    [[maybe_unused]] const ssize_t got = read(event_.get(), &count, sizeof count);
  }

 private:
  machine::HostFd event_;
};

class VncDisplay;

struct Viewer {
  Viewer(VncDisplay& of, machine::HostFd its_socket, machine::Machine& machine)
      : display(of),
        socket(std::move(its_socket)),
        hands(machine.inbox(), machine.input_status()),
        since(HostClock::now()) {}

  VncDisplay& display;
  const machine::HostFd socket;  // libvncserver has a duplicate; by this one another thread ends all waiting
  rfbClientPtr rfb = nullptr;
  machine::InputSource hands;
  bool shift_held[2] = {false, false};
  u8 buttons = 0;               // of the last PointerEvent, as RFB numbers them
  int width = 0, height = 0;    // that it knows of, from the greeting on
  bool has_part = false;        // of a message
  bool wants_room = false;      // for a picture
  bool companion = false;       // idle time passes with it
  HostClock::time_point since;  // of the handshake, or of the part
};

class VncDisplay final : public Display {
 public:
  VncDisplay(Listener listener, std::string password, machine::Machine& machine,
             std::shared_ptr<ViewMutex> views);
  ~VncDisplay() override;

  std::string name() const override { return "vnc:" + listener_.address(); }

  // --- Its thread, from libvncserver ---
  void key(Viewer& viewer, bool down, u32 keysym);
  void pointer(Viewer& viewer, u8 mask, int x, int y) const;
  static void qemu_key(Viewer& viewer, bool down, u32 keysym, u32 keycode);

 private:
  enum class Arrived : u8 { Nothing, Part, Message, End };

  void serve();
  void accept_viewer();
  static Arrived look(const Viewer& viewer);
  /// Takes what has come from `viewer` and gives it what is new. False: it has gone, or has to go.
  bool attend(Viewer& viewer, short ready);
  /// libvncserver tells those of a new size who take such news when the size changes, but not those who say so later.
  void tell_size(Viewer& viewer) const;
  void drop(Viewer& viewer);
  void take_picture();
  void take_piece(const devices::Picture& picture, const devices::Rect& piece);
  void resize(u32 width, u32 height);
  /// Pictures are made, and time passes with people, while there are some.
  void settle();
  void open_or_close_view();

  machine::Machine& machine_;
  machine::ScreenFeed& feed_;
  const std::shared_ptr<ViewMutex> views_;
  Listener listener_;
  std::string password_;
  char* passwords_[2] = {nullptr, nullptr};
  std::vector<u32> frame_;  // what libvncserver sends from
  std::unique_ptr<rfbScreenInfo, decltype(&rfbScreenCleanup)> screen_;
  std::unique_ptr<machine::ScreenView> view_;

  Wake wake_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::list<Viewer> viewers_;  // the list is changed under mutex_
  std::thread thread_;
};

Viewer& viewer_of(rfbClientPtr client) { return *static_cast<Viewer*>(client->clientData); }

void on_key(rfbBool down, rfbKeySym keysym, rfbClientPtr client) {
  Viewer& viewer = viewer_of(client);
  viewer.display.key(viewer, down != 0, static_cast<u32>(keysym));
}

void on_pointer(int mask, int x, int y, rfbClientPtr client) {
  Viewer& viewer = viewer_of(client);
  viewer.display.pointer(viewer, static_cast<u8>(mask), x, y);
}

void on_release_all(rfbClientPtr client) { viewer_of(client).hands.release_all(); }

void on_cut_text(char*, int, rfbClientPtr) {}

rfbNewClientAction on_new_client(rfbClientPtr client) {
  client->clientData = client->screen->screenData;
  return RFB_CLIENT_ACCEPT;
}

void no_log(const char*, ...) {}

// --- QEMU's extended key event: what libvncserver does not know of itself ---

/// The viewer learns that it may send them by an empty rectangle of that encoding.
rfbBool offer_qemu_keys(rfbClientPtr client, void**, int encoding) {
  if (encoding != static_cast<int>(rfbEncodingQemuExtendedKeyEvent)) return FALSE;
  constexpr u8 kUpdate[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xfe};
  return rfbWriteExact(client, reinterpret_cast<const char*>(kUpdate), sizeof kUpdate) > 0 ? TRUE : FALSE;
}

u32 big_endian(const u8* bytes) {
  return u32{bytes[0]} << 24 | u32{bytes[1]} << 16 | u32{bytes[2]} << 8 | bytes[3];
}

rfbBool take_qemu_message(rfbClientPtr client, void*, const rfbClientToServerMsg* message) {
  if (message->type != vnc_message::kQemu) return FALSE;
  u8 rest[vnc_message::kQemuKeyBytes - 1];
  if (rfbReadExact(client, reinterpret_cast<char*>(rest), sizeof rest) <= 0) {
    rfbCloseClient(client);
    return TRUE;
  }
  VncDisplay::qemu_key(viewer_of(client), (rest[1] | rest[2]) != 0, big_endian(rest + 3),
                       big_endian(rest + 7));
  return TRUE;
}

/// libvncserver has one list of them for the whole process.
void register_qemu_keys() {
  static int encodings[] = {static_cast<int>(rfbEncodingQemuExtendedKeyEvent), 0};
  static rfbProtocolExtension extension = {
      .newClient = nullptr,
      .init = nullptr,
      .pseudoEncodings = encodings,
      .enablePseudoEncoding = offer_qemu_keys,
      .handleMessage = take_qemu_message,
      .close = nullptr,
      .usage = nullptr,
      .processArgument = nullptr,
      .next = nullptr,
  };
  static std::once_flag once;
  std::call_once(once, [] { rfbRegisterProtocolExtension(&extension); });
}

/// 00rrggbb, as devices::Picture has it.
void set_format(rfbScreenInfo& screen) {
  screen.serverFormat.redShift = 16;
  screen.serverFormat.greenShift = 8;
  screen.serverFormat.blueShift = 0;
}

/// A new client of libvncserver's behind `socket`, which stays the caller's. nullptr: that failed.
///
/// libvncserver first waits for the client to say whether it speaks HTTP: a page in a browser on this host must not be let
/// in by that, nor may a client that says it byte by byte hold others up. So it meets a socket of ours, which has said that it
/// does not, and the client takes that one's place.
rfbClientPtr introduce(rfbScreenInfo& screen, int socket) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return nullptr;
  const machine::HostFd other(pair[1]);
  constexpr std::string_view kNoHttp = "RFB ";
  // libvncserver waits by select(), whose sets end there.
  if (pair[0] >= FD_SETSIZE || write(pair[1], kNoHttp.data(), kNoHttp.size()) < 0) {
    close(pair[0]);
    return nullptr;
  }
  const rfbClientPtr client = rfbNewClient(&screen, pair[0]);
  if (client == nullptr) return nullptr;
  const int no_delay = 1;
  [[maybe_unused]] const int set = setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  char version[sz_rfbProtocolVersionMsg];
  if (read(pair[1], version, sizeof version) == sizeof version &&
      dup3(socket, client->sock, O_CLOEXEC) >= 0 &&
      send(socket, version, sizeof version, MSG_NOSIGNAL) == sizeof version)
    return client;
  rfbCloseClient(client);
  rfbClientConnectionGone(client);
  return nullptr;
}

VncDisplay::VncDisplay(Listener listener, std::string password, machine::Machine& machine,
                       std::shared_ptr<ViewMutex> views)
    : machine_(machine),
      feed_(machine.screen()),
      views_(std::move(views)),
      listener_(std::move(listener)),
      password_(std::move(password)),
      frame_(std::size_t{kFirstWidth} * kFirstHeight),
      screen_((rfbLog = no_log, rfbErr = no_log,
               rfbGetScreen(nullptr, nullptr, kFirstWidth, kFirstHeight, 8, 3, 4)),
              rfbScreenCleanup) {
  register_qemu_keys();
  rfbScreenInfo& screen = *screen_;
  screen.frameBuffer = reinterpret_cast<char*>(frame_.data());
  set_format(screen);
  screen.desktopName = "reprise";
  screen.cursor = nullptr;
  screen.alwaysShared = TRUE;
  screen.deferUpdateTime = 0;
  screen.deferPtrUpdateTime = 0;
  screen.maxClientWait = kMaxWriteWaitMs;
  screen.permitFileTransfer = FALSE;
  screen.kbdAddEvent = on_key;
  screen.kbdReleaseAllKeys = on_release_all;
  screen.ptrAddEvent = on_pointer;
  screen.setXCutText = on_cut_text;
  screen.newClientHook = on_new_client;
  if (!password_.empty()) {
    passwords_[0] = password_.data();
    screen.authPasswdData = passwords_;
    screen.passwordCheck = rfbCheckPasswordByList;
  }
  // Somebody may come at any time and press a key, so an idle guest is never stuck for good.
  machine_.inbox().add_source();
  thread_ = std::thread([this] { serve(); });
}

VncDisplay::~VncDisplay() {
  stop_ = true;
  wake_.give();
  {
    const std::lock_guard lock(mutex_);
    for (const Viewer& viewer : viewers_) shutdown(viewer.socket.get(), SHUT_RDWR);
  }
  thread_.join();
  machine_.inbox().remove_source();
}

void VncDisplay::serve() {
  while (!stop_) {
    std::vector<pollfd> files = {
        {wake_.descriptor(), POLLIN, 0},
        {listener_.descriptor(), static_cast<short>(viewers_.size() < kMaxViewers ? POLLIN : 0), 0}};
    int timeout_ms = -1;
    for (const Viewer& viewer : viewers_) {
      files.push_back({viewer.rfb->sock,
                       static_cast<short>((viewer.has_part ? 0 : POLLIN) | (viewer.wants_room ? POLLOUT : 0)),
                       0});
      if (viewer.has_part)
        timeout_ms = kPartPollMs;
      else if (viewer.rfb->state != rfbClientRec::RFB_NORMAL && timeout_ms < 0)
        timeout_ms = 1000;
    }
    if (poll(files.data(), files.size(), timeout_ms) < 0 && errno != EINTR) break;
    if (files[0].revents != 0) wake_.take();
    if (view_) take_picture();
    std::size_t index = 2;
    for (auto viewer = viewers_.begin(); viewer != viewers_.end();) {
      const auto here = viewer++;
      if (attend(*here, files[index++].revents)) continue;
      drop(*here);
      const std::lock_guard lock(mutex_);
      viewers_.erase(here);
    }
    if (files[1].revents & POLLIN) accept_viewer();
    settle();
  }
  for (Viewer& viewer : viewers_) drop(viewer);
  const std::lock_guard lock(*views_);
  view_.reset();
}

void VncDisplay::accept_viewer() {
  const int descriptor = accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (descriptor < 0) {
    // No descriptor is free: whoever wants in stays in the queue, and another try too soon would only burn time.
    if (errno == EMFILE || errno == ENFILE) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return;
  }
  machine::HostFd socket(descriptor);
  Viewer* viewer = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    viewer = &viewers_.emplace_back(*this, std::move(socket), machine_);
  }
  screen_->screenData = viewer;  // for on_new_client
  viewer->rfb = introduce(*screen_, descriptor);
  if (viewer->rfb != nullptr) return;
  const std::lock_guard lock(mutex_);
  viewers_.pop_back();
}

VncDisplay::Arrived VncDisplay::look(const Viewer& viewer) {
  const int socket = viewer.rfb->sock;
  u8 start[kVncStartBytes];
  const ssize_t got = recv(socket, start, sizeof start, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Arrived::Nothing : Arrived::End;
  if (got == 0) return Arrived::End;
  std::optional<std::size_t> wanted = 1;
  switch (viewer.rfb->state) {
    case rfbClientRec::RFB_PROTOCOL_VERSION: wanted = sz_rfbProtocolVersionMsg; break;
    case rfbClientRec::RFB_AUTHENTICATION: wanted = CHALLENGESIZE; break;
    case rfbClientRec::RFB_NORMAL: wanted = vnc_message_bytes({start, static_cast<std::size_t>(got)}); break;
    default: break;
  }
  if (!wanted) return Arrived::End;
  int there = 0;
  if (ioctl(socket, FIONREAD, &there) != 0) return Arrived::End;
  return static_cast<std::size_t>(there) >= *wanted ? Arrived::Message : Arrived::Part;
}

bool VncDisplay::attend(Viewer& viewer, short ready) {
  const rfbClientPtr rfb = viewer.rfb;
  const bool gone = (ready & (POLLHUP | POLLERR)) != 0;
  switch (look(viewer)) {
    case Arrived::Nothing:
      if (gone) return false;
      viewer.has_part = false;
      break;
    case Arrived::Part:
      if (gone) return false;
      if (!std::exchange(viewer.has_part, true) && rfb->state == rfbClientRec::RFB_NORMAL)
        viewer.since = HostClock::now();
      break;
    case Arrived::Message:
      viewer.has_part = false;
      rfbProcessClientMessage(rfb);
      tell_size(viewer);
      break;
    case Arrived::End: return false;
  }
  if (rfb->sock < 0) return false;
  const bool slow = viewer.has_part || rfb->state != rfbClientRec::RFB_NORMAL;
  if (slow && HostClock::now() - viewer.since > kPatience) return false;
  if (rfb->state != rfbClientRec::RFB_NORMAL) return true;
  pollfd room = {rfb->sock, POLLOUT, 0};
  viewer.wants_room = poll(&room, 1, 0) == 0;
  if (!viewer.wants_room) rfbUpdateClient(rfb);
  return rfb->sock >= 0;
}

void VncDisplay::tell_size(Viewer& viewer) const {
  rfbClientRec& rfb = *viewer.rfb;
  if (rfb.state != rfbClientRec::RFB_NORMAL) return;
  const bool greeted = viewer.width != 0;
  const bool news = viewer.width != screen_->width || viewer.height != screen_->height;
  if (!news || (greeted && !rfb.useNewFBSize)) return;
  if (greeted) rfb.newFBSizePending = TRUE;
  viewer.width = screen_->width;
  viewer.height = screen_->height;
}

void VncDisplay::drop(Viewer& viewer) {
  viewer.hands.release_all();
  if (viewer.companion) machine_.inbox().remove_companion();
  if (viewer.rfb->sock >= 0) rfbCloseClient(viewer.rfb);
  rfbClientConnectionGone(viewer.rfb);
}

void VncDisplay::settle() {
  for (Viewer& viewer : viewers_) {
    if (viewer.companion || viewer.rfb->state != rfbClientRec::RFB_NORMAL) continue;
    viewer.companion = true;
    machine_.inbox().add_companion();
  }
  if (viewers_.empty() != (view_ == nullptr)) open_or_close_view();
}

void VncDisplay::open_or_close_view() {
  const std::lock_guard lock(*views_);
  if (viewers_.empty())
    view_.reset();
  else
    view_ = feed_.open({.pictures_per_s = 30, .on_new_picture = [this] { wake_.give(); }});
}

void VncDisplay::take_picture() {
  const std::vector<devices::Rect> pieces = view_->update();
  if (pieces.empty()) return;
  const devices::Picture& picture = view_->picture();
  if (static_cast<int>(picture.width) != screen_->width ||
      static_cast<int>(picture.height) != screen_->height)
    resize(picture.width, picture.height);
  for (const devices::Rect& piece : pieces) take_piece(picture, piece);
}

void VncDisplay::take_piece(const devices::Picture& picture, const devices::Rect& piece) {
  // In VGA modes all is new when anything is; viewers should get less.
  u32 left = ~0u, right = 0, top = ~0u, bottom = 0;
  for (u32 y = piece.y; y < piece.y + piece.height; ++y) {
    const auto from = picture.row(y).subspan(piece.x, piece.width);
    const auto to = std::span(frame_).subspan(std::size_t{y} * picture.width + piece.x, piece.width);
    const auto first = std::ranges::mismatch(from, to).in1 - from.begin();
    if (first == static_cast<std::ptrdiff_t>(piece.width)) continue;
    auto end = static_cast<std::ptrdiff_t>(piece.width);
    while (from[static_cast<std::size_t>(end - 1)] == to[static_cast<std::size_t>(end - 1)]) --end;
    std::ranges::copy(from, to.begin());
    left = std::min(left, piece.x + static_cast<u32>(first));
    right = std::max(right, piece.x + static_cast<u32>(end));
    top = std::min(top, y);
    bottom = y + 1;
  }
  if (bottom != 0)
    rfbMarkRectAsModified(screen_.get(), static_cast<int>(left), static_cast<int>(top),
                          static_cast<int>(right), static_cast<int>(bottom));
}

void VncDisplay::resize(u32 width, u32 height) {
  std::vector<u32> frame(std::size_t{width} * height);
  rfbNewFramebuffer(screen_.get(), reinterpret_cast<char*>(frame.data()), static_cast<int>(width),
                    static_cast<int>(height), 8, 3, 4);
  frame_.swap(frame);
  // That has forgotten how pixels are laid out.
  set_format(*screen_);
  for (const Viewer& viewer : viewers_)
    if (viewer.rfb->sock >= 0) screen_->setTranslateFunction(viewer.rfb);
}

void VncDisplay::key(Viewer& viewer, bool down, u32 keysym) {
  const VncKey meant = key_of_keysym(keysym);
  if (meant.key == Key::None) return;
  if (meant.key == Key::LeftShift || meant.key == Key::RightShift)
    viewer.shift_held[meant.key == Key::RightShift] = down;
  // Programs that type send capitals without Shift.
  const bool caps = (machine_.input_status().leds() & machine::kCapsLockLed) != 0;
  const bool wants_shift = meant.letter ? meant.shifted != caps : meant.shifted;
  const bool add_shift = down && wants_shift && !viewer.shift_held[0] && !viewer.shift_held[1];
  if (add_shift) viewer.hands.key(Key::LeftShift, true);
  viewer.hands.key(meant.key, down);
  if (add_shift) viewer.hands.key(Key::LeftShift, false);
}

void VncDisplay::qemu_key(Viewer& viewer, bool down, u32 keysym, u32 keycode) {
  const Key key = key_of_vnc_keycode(keycode);
  if (key == Key::None) return viewer.display.key(viewer, down, keysym);
  if (key == Key::LeftShift || key == Key::RightShift) viewer.shift_held[key == Key::RightShift] = down;
  viewer.hands.key(key, down);
}

void VncDisplay::pointer(Viewer& viewer, u8 mask, int x, int y) const {
  viewer.hands.move_to(x, y, screen_->width, screen_->height);
  u8 buttons = 0;
  for (const ButtonRow& row : kButtons)
    if (mask & row.rfb) buttons |= row.ours;
  viewer.hands.set_buttons(buttons);
  const u8 pressed = static_cast<u8>(mask & ~std::exchange(viewer.buttons, mask));
  if (pressed & kWheelUp) viewer.hands.wheel(1);
  if (pressed & kWheelDown) viewer.hands.wheel(-1);
}

/// The first line of the file.
Result<std::string> read_password(const std::string& path) {
  const auto bad = [&](std::string_view why) {
    return Error{fmt::format("the password file '{}' of --display vnc {}.", path, why)};
  };
  std::ifstream file(path);
  std::string line;
  if (!file) return bad(fmt::format("cannot be read: {}", std::strerror(errno)));
  // It may be a pipe, and need not end.
  constexpr std::size_t kMostCharacters = 255;
  for (char c = 0; line.size() <= kMostCharacters && file.get(c) && c != '\n';) line += c;
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty()) return bad("has an empty first line, which is no password");
  if (line.size() > kMostCharacters || line.find('\0') != line.npos)
    return bad(fmt::format("has a first line that is no text of up to {} characters", kMostCharacters));
  return line;
}

Result<Listener> listen(const VncChoice& choice) {
  return Listener::open(
      {.what = "VNC socket",
       .option = "--display vnc:",
       .unix_path = choice.unix_path,
       .host = choice.host,
       .port = choice.port,
       .open_to_all = !choice.password_path.empty(),
       .instead =
           fmt::format("add ,password-file=FILE, or give vnc:{} for viewers on this host", choice.port)});
}

}  // namespace

Result<std::unique_ptr<Display>> open_vnc_display(const VncChoice& choice, machine::Machine& machine,
                                                  std::shared_ptr<ViewMutex> views) {
  std::string password;
  if (!choice.password_path.empty()) password = TRY(read_password(choice.password_path));
  auto listener = TRY(listen(choice));
  return std::unique_ptr<Display>(
      new VncDisplay(std::move(listener), std::move(password), machine, std::move(views)));
}

}  // namespace reprise::frontend
