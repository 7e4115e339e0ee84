// Xlib is there when SDL has loaded it, and only then.
#include "frontend/display/x11_errors.h"

#include <SDL2/SDL.h>
#include <SDL2/SDL_syswm.h>
#include <dlfcn.h>

#include <csetjmp>

namespace reprise::frontend {
namespace {

template <typename Function>
Function xlib_function(const char* name) {
  void* const xlib = dlopen("libX11.so.6", RTLD_LAZY);
  return xlib == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(xlib, name));
}

/// Of the server on which `window` is; nullptr: it is on none.
void* x11_display(SDL_Window* window) {
#if defined(SDL_VIDEO_DRIVER_X11)
  SDL_SysWMinfo info = {};
  SDL_VERSION(&info.version);
  if (SDL_GetWindowWMInfo(window, &info) == SDL_TRUE && info.subsystem == SDL_SYSWM_X11)
    return info.info.x11.display;
#else
  static_cast<void>(window);
#endif
  return nullptr;
}

using OnIoError = int (*)(void* display);

void set_on_io_error(OnIoError on_error) {
  using Set = OnIoError (*)(OnIoError on_error);
  if (const auto set = xlib_function<Set>("XSetIOErrorHandler"); set != nullptr) set(on_error);
}

// Xlib's handler gets nothing of ours, and ends the process when it returns.
thread_local std::jmp_buf* way_back = nullptr;

int go_back(void* display) {
  if (way_back == nullptr) return 0;
  // What else uses Xlib when the process ends would wait for this thread.
  using Unlock = void (*)(void* display);
  if (const auto unlock = xlib_function<Unlock>("XUnlockDisplay"); unlock != nullptr) unlock(display);
  std::longjmp(*way_back, 1);
}

}  // namespace

bool survives_x11_server(const std::function<void()>& work) {
  std::jmp_buf here;
  set_on_io_error(go_back);
  const bool gone = setjmp(here) != 0;
  if (!gone) {
    way_back = &here;
    work();
  }
  way_back = nullptr;
  return !gone;
}

void ignore_x11_errors() {
  using Handler = int (*)(void* display, void* event);
  using SetHandler = Handler (*)(Handler handler);
  if (const auto set = xlib_function<SetHandler>("XSetErrorHandler"); set != nullptr)
    set([](void*, void*) { return 0; });
}

void outlive_x11_server(SDL_Window* window, std::atomic<bool>& gone) {
  void* const display = x11_display(window);
  if (display == nullptr) return;
  // Since libX11 1.7.
  using OnExit = void (*)(void* display, void* gone);
  using SetOnExit = void (*)(void* display, OnExit on_exit, void* gone);
  const auto set_on_exit = xlib_function<SetOnExit>("XSetIOErrorExitHandler");
  if (set_on_exit == nullptr) return;
  set_on_exit(
      display,
      [](void* of, void* flag) {
        static_cast<std::atomic<bool>*>(flag)->store(true);
        // Xlib has locked it for a thread that is to call exit(): destructors of libraries would wait for this one.
        using Unlock = void (*)(void* display);
        if (const auto unlock = xlib_function<Unlock>("XUnlockDisplay"); unlock != nullptr) unlock(of);
      },
      &gone);
  // Before the other it is called to say so on stderr, which we do.
  set_on_io_error([](void*) { return 0; });
}

void wait_for_x11_server(SDL_Window* window) {
  void* const display = x11_display(window);
  using Sync = int (*)(void* display, int discard);
  if (const auto sync = display == nullptr ? nullptr : xlib_function<Sync>("XSync"); sync != nullptr)
    sync(display, 0);
}

int x11_descriptor(SDL_Window* window) {
  void* const display = x11_display(window);
  using Number = int (*)(void* display);
  const auto number = display == nullptr ? nullptr : xlib_function<Number>("XConnectionNumber");
  return number == nullptr ? -1 : number(display);
}

}  // namespace reprise::frontend
