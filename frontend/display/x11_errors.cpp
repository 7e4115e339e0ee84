// Xlib is there when SDL has loaded it, and only then.
#include "frontend/display/x11_errors.h"

#include <SDL2/SDL.h>
#include <SDL2/SDL_syswm.h>
#include <dlfcn.h>

namespace reprise::frontend {
namespace {

template <typename Function>
Function xlib_function(const char* name) {
  void* const xlib = dlopen("libX11.so.6", RTLD_LAZY);
  return xlib == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(xlib, name));
}

}  // namespace

void ignore_x11_errors() {
  using Handler = int (*)(void* display, void* event);
  using SetHandler = Handler (*)(Handler handler);
  if (const auto set = xlib_function<SetHandler>("XSetErrorHandler"); set != nullptr)
    set([](void*, void*) { return 0; });
}

void outlive_x11_server(SDL_Window* window, std::atomic<bool>& gone) {
#if defined(SDL_VIDEO_DRIVER_X11)
  SDL_SysWMinfo info = {};
  SDL_VERSION(&info.version);
  if (SDL_GetWindowWMInfo(window, &info) == SDL_FALSE || info.subsystem != SDL_SYSWM_X11) return;
  // Since libX11 1.7.
  using OnExit = void (*)(void* display, void* gone);
  using SetOnExit = void (*)(void* display, OnExit on_exit, void* gone);
  const auto set_on_exit = xlib_function<SetOnExit>("XSetIOErrorExitHandler");
  if (set_on_exit == nullptr) return;
  set_on_exit(
      info.info.x11.display,
      [](void* display, void* flag) {
        static_cast<std::atomic<bool>*>(flag)->store(true);
        // Xlib has locked it for a thread that is to call exit(): destructors of libraries would wait for this one.
        using Unlock = void (*)(void* display);
        if (const auto unlock = xlib_function<Unlock>("XUnlockDisplay"); unlock != nullptr) unlock(display);
      },
      &gone);
  // Before the other it is called to say so on stderr, which we do.
  using OnError = int (*)(void* display);
  using SetOnError = OnError (*)(OnError on_error);
  if (const auto set = xlib_function<SetOnError>("XSetIOErrorHandler"); set != nullptr)
    set([](void*) { return 0; });
#else
  static_cast<void>(window);
  static_cast<void>(gone);
#endif
}

}  // namespace reprise::frontend
